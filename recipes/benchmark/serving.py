#!/usr/bin/env python3
"""How swcm-serve does under load: the answers of many requests at once, and of more than its queue takes.

Starts swcm-serve with the model on a free port of 127.0.0.1, asks it for the lines of a text file, many at once, and
compares the answers with ``translate()``; then sends more than the queue takes. Says what came back, how fast, and how
much memory the server took. Needs the extra "serve".

    python -m recipes.benchmark.serving runs/quickstart/packed runs/quickstart/split/test.zh-kk.zh --to kk
"""

import argparse
import asyncio
import collections
import json
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request

import swcm_fairseq


async def ask(port: int, body: bytes, timeout: float):
    """Status of one request and what came with it; a status of 0 is no answer."""
    head = "POST /translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), timeout)
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body)
        answer = await asyncio.wait_for(reader.read(), timeout)
        writer.close()
    except (OSError, asyncio.TimeoutError):
        return 0, {}, b""
    first, _, body = answer.partition(b"\r\n\r\n")
    lines = first.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]) if lines[0] else 0, headers, body


async def ask_all(port: int, bodies, timeout: float):
    """All at once."""
    return await asyncio.gather(*(ask(port, body, timeout) for body in bodies))


def body_of(text: str, args) -> bytes:
    return json.dumps({"q": text, "source": "auto", "target": args.to}).encode("ascii")


def metric(port: int, name: str) -> float:
    """One of the server's numbers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        return float(re.search(f"^{name} (\\S+)$", response.read().decode("utf-8"), re.MULTILINE).group(1))


def peak_memory(process: int) -> float:
    """MiB that a process had in memory at most."""
    with open(f"/proc/{process}/status") as stream:
        return int(re.search(r"VmHWM:\s+(\d+)", stream.read()).group(1)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a folder that swcm-serve opens")
    parser.add_argument("text", help="lines to translate")
    parser.add_argument("--to", required=True, metavar="LANG", help="target language")
    parser.add_argument("--at-once", type=int, default=200, help="requests at once in the first part")
    parser.add_argument("--flood", type=int, default=5000, help="requests at once in the second part")
    parser.add_argument("--queue", type=int, default=100, help="the server's queue in the second part")
    parser.add_argument("--serve", default="", help="further flags of swcm-serve")
    args = parser.parse_args()
    with open(args.text, encoding="utf-8") as stream:
        lines = [line.strip() for line in stream if line.strip()]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    some = (lines * (args.at_once // len(lines) + 1))[: args.at_once]
    # Two models at once would share the processors.
    expected = swcm_fairseq.from_pretrained(args.folder).translate(some, target=args.to)
    for queue, texts in ((args.at_once, some), (args.queue, (lines * (args.flood // len(lines) + 1))[: args.flood])):
        command = [sys.executable, "-m", "swcm_fairseq.serving.command", args.folder, "--port", "0"]
        command += ["--queue", str(queue), "--timeout", "300", *args.serve.split()]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
        try:
            said = server.stderr.readline()
            port = int(said.rsplit(":", 1)[1])
            before = peak_memory(server.pid)
            started = time.monotonic()
            answers = asyncio.run(ask_all(port, [body_of(text, args) for text in texts], timeout=300))
            seconds = time.monotonic() - started
            statuses = collections.Counter(status for status, _, _ in answers)
            print(f"{len(texts)} requests at once, a queue of {queue}: {seconds:.1f} s")
            print(f"  answers by status (0: none): {dict(sorted(statuses.items()))}")
            print("  with Retry-After: {}".format(sum("retry-after" in headers for _, headers, _ in answers)))
            batches = metric(port, "swcm_batch_sentences_count")
            print("  sentences decoded together: {:.1f}".format(metric(port, "swcm_batch_sentences_sum") / batches))
            print(f"  memory: {before:.0f} MiB before, {peak_memory(server.pid):.0f} MiB at most")
            if texts is some:
                found = [json.loads(body)["translatedText"] if status == 200 else "" for status, _, body in answers]
                same = sum(one == other for one, other in zip(found, expected))
                print(f"  as translate() gives: {same} of {len(some)}")
            again = asyncio.run(ask(port, body_of(lines[0], args), 60))
            print(f"  then it answers with {again[0]}")
            server.send_signal(signal.SIGTERM)
            print(f"  ended with {server.wait(60)}")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
