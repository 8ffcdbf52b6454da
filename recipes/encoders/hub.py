"""Download an encoder's files from a model hub that speaks Hugging Face's plain HTTPS, with nothing but Python.

A file takes its name when all its bytes have arrived, and is not fetched again.
"""

import argparse
import http.client
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import List, Sequence

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write
from swcm_fairseq.pretrained.tensor_files import WEIGHT_FILES, shard_names
from swcm_fairseq.vocabulary.encoder_vocabulary import SENTENCEPIECE_NAMES
from swcm_fairseq.vocabulary.symbols import CARD

DEFAULT_ENDPOINT = "https://huggingface.co"
CHUNK = 1 << 20
PROGRESS_EVERY = 64 << 20
TIMEOUT_SECONDS = 60


def file_url(endpoint: str, name: str, revision: str, file: str) -> str:
    """Where the hub has ``file`` of model ``name`` at a branch, tag or commit."""
    return "{}/{}/resolve/{}/{}".format(
        endpoint.rstrip("/"), name, urllib.parse.quote(revision, safe=""), urllib.parse.quote(file)
    )


def fetch(url: str, target: str) -> bool:
    """Download ``url`` to ``target``; False where the hub has no such file.

    Raises:
        SwcmError: the hub cannot be reached, refuses, or sends fewer bytes than it announced.
    """
    if os.path.exists(target):
        return True
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer, atomic_write(target, "wb") as stream:
            announced, got = answer.headers.get("Content-Length"), 0
            while True:
                chunk = answer.read(CHUNK)
                if not chunk:
                    break
                stream.write(chunk)
                if (got + len(chunk)) // PROGRESS_EVERY > got // PROGRESS_EVERY:
                    print(f"  {os.path.basename(target)}: {(got + len(chunk)) >> 20} MB", flush=True)
                got += len(chunk)
            if announced is not None and got != int(announced):
                raise SwcmError(f"{url}: {got} of {announced} bytes came; run again")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise SwcmError(f"{url}: the hub answers {error.code} {error.reason}")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise SwcmError(f"{url}: {reason}; see that the hub can be reached, or name another in HF_ENDPOINT")
    return True


def fetch_first(endpoint: str, name: str, revision: str, files: Sequence[str], folder: str) -> str:
    """Download the first of ``files`` that the hub has; returns its name, "" where it has none."""
    for file in files:
        if fetch(file_url(endpoint, name, revision, file), os.path.join(folder, file)):
            return file
    return ""


def fetch_encoder(endpoint: str, name: str, revision: str, folder: str) -> List[str]:
    """Download config.json, the SentencePiece model, the weights and, if there is one, the card; returns their names.

    Raises:
        SwcmError: one of the three is not there, or the hub speaks plain HTTP, on which anyone could put other files.
    """
    where = urllib.parse.urlsplit(endpoint)
    if where.scheme != "https" and where.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise SwcmError(f"HF_ENDPOINT {endpoint} is not https://, so what comes from it cannot be trusted")
    found, missing = [], []
    for what, files in [("config.json", ["config.json"]), ("a SentencePiece model", SENTENCEPIECE_NAMES)]:
        file = fetch_first(endpoint, name, revision, files, folder)
        (found if file else missing).append(file or "{} ({})".format(what, " or ".join(files)))
    if missing:
        raise SwcmError(f"{endpoint}/{name} at {revision} lacks:", missing)
    weights = fetch_first(endpoint, name, revision, WEIGHT_FILES, folder)
    if not weights:
        raise SwcmError("{}/{} at {} has no weights ({})".format(endpoint, name, revision, " or ".join(WEIGHT_FILES)))
    found.append(weights)
    for shard in shard_names(os.path.join(folder, weights)) if weights.endswith(".json") else []:
        if not fetch(file_url(endpoint, name, revision, shard), os.path.join(folder, shard)):
            raise SwcmError(f"{endpoint}/{name} at {revision} lacks {shard}, which {weights} names")
        found.append(shard)
    if fetch(file_url(endpoint, name, revision, CARD), os.path.join(folder, CARD)):
        found.append(CARD)
    return found


def main(argv=None) -> int:
    """Download the encoder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="model, such as xlm-roberta-base or hfl/cino-base-v2")
    parser.add_argument("--revision", default="main", help="branch, tag or commit")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the files as the hub has them")
    endpoint = os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
    parser.add_argument("--endpoint", default=endpoint, help="the hub's address")
    args = parser.parse_args(argv)
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*(/[\w.-]+)?", args.name):
        parser.error(f"--name {args.name}: a model is called NAME or OWNER/NAME")
    os.makedirs(args.out, exist_ok=True)
    files = fetch_encoder(args.endpoint, args.name, args.revision, args.out)
    print("{} at {} from {}: {}".format(args.name, args.revision, args.endpoint, ", ".join(files)))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
