"""Files that nobody should have to read: what breaks readers, made from a seed."""

import csv
import gzip
import io
import json
import random
import struct
from typing import Iterator, Tuple

SENTENCES = (
    "Бүгін ауа райы жақсы, біз тауға барамыз.",
    "今天天气很好，我们去山上看羊。",
    "བོད་ཡིག་གི་ཚིག་གྲུབ་གཅིག",
    "بۈگۈن ھاۋا ياخشى، بىز تاغقا بارىمىز.",
    "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ᠪᠢᠴᠢᠭ᠌",
)


def good_file(kind: str, rng: random.Random, records: int = 20) -> bytes:
    """A small file that is in order."""
    rows = [{"id": str(i), "title": rng.choice(SENTENCES), "text": rng.choice(SENTENCES)} for i in range(records)]
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=bool(i % 2)) + "\n" for i, row in enumerate(rows)).encode("utf-8")
    if kind == "json":
        return json.dumps(rows, ensure_ascii=False).encode("utf-8")
    if kind == "squad":
        qas = [{"id": row["id"], "question": row["title"], "answers": [{"text": row["text"]}]} for row in rows]
        data = [{"title": "x", "paragraphs": [{"context": SENTENCES[0], "qas": qas}]}]
        return json.dumps({"version": "1", "data": data}).encode("utf-8")
    if kind == "csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, ["id", "title", "text"])
        writer.writeheader()
        writer.writerows(dict(row, text=row["text"] + ' "a,b"\n2') for row in rows)
        return stream.getvalue().encode("utf-8")
    if kind == "po":
        return "".join('msgid "{id}"\nmsgstr "{text}"\n\n'.format(**row) for row in rows).encode("utf-8")
    if kind == "mo":
        return compiled_catalogue({row["id"]: row["text"] for row in rows})
    return "".join(row["text"] + "\n" for row in rows).encode("utf-8")


def compiled_catalogue(messages) -> bytes:
    """A .mo file, as gettext's manual describes it: seven numbers, two tables of (length, offset), the texts."""
    pairs = sorted((key.encode("utf-8"), value.encode("utf-8")) for key, value in messages.items())
    tables, texts = [], b""
    start = 28 + 16 * len(pairs)
    for side in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[side]), start + len(texts)))
            texts += pair[side] + b"\0"
    head = struct.pack("<IIIIIII", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(tables) + texts


def spoil(data: bytes, rng: random.Random) -> bytes:
    """One of the things that happen to files."""
    kind = rng.randrange(14)
    place = rng.randrange(len(data) + 1)
    if kind == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(2000)))
    if kind == 1:
        return data[:place]  # cut, often inside a character
    if kind == 2:
        return data[:place] + b"\0" * rng.randint(1, 50) + data[place:]
    if kind == 3:
        return b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    if kind == 4:
        return data[:place] + b"\xed\xa0\x80" + data[place:]  # a surrogate, in bytes
    if kind == 5:
        return data.replace(b"a", b"\\ud800") + b'{"title": "\\ud83d", "text": "\\ude00"}\n'
    if kind == 6:
        return b""
    if kind == 7:
        packed = gzip.compress(data)
        return packed[: rng.randrange(len(packed))]
    if kind == 8:
        changed = bytearray(gzip.compress(data))
        changed[rng.randrange(2, len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == 9:
        return data.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-be", "gb18030", "utf-32"]))
    if kind == 10:
        flipped = bytearray(data)
        for _ in range(rng.randint(1, 20)):
            flipped[rng.randrange(len(flipped))] = rng.randrange(256)
        return bytes(flipped)
    if kind == 11:
        return data[:place] + rng.choice([b"[" * 20000, b'{"a":' * 20000, b'"' * 999, b"<b " * 20000]) + data[place:]
    if kind == 12:
        return data.replace(b"\n", rng.choice([b"\r", b"\n\n\n", b"\x0b", "\u2028".encode("utf-8")]))
    return gzip.compress(gzip.compress(data))


def hostile_files(count: int, seed: int) -> Iterator[Tuple[str, bytes]]:
    """``count`` times (a file's ending, its content); the last ones hold a line of 50 MB."""
    rng = random.Random(seed)
    kinds = ("txt", "jsonl", "json", "squad", "csv", "tsv", "po", "mo")
    long_lines = (
        ("txt", SENTENCES[2].encode("utf-8") * (50_000_000 // len(SENTENCES[2].encode("utf-8")))),
        ("txt", b"\xf0\x9f\x98\x80" * 12_500_000),
        ("jsonl", b'{"title": "' + b"a" * 50_000_000 + b'", "text": "b"}\n'),
        ("json", b"[" * 50_000_000),
        ("csv", b"id,title,text\n1,2," + b"x" * 50_000_000 + b"\n"),
        ("squad", b'{"data": [{"paragraphs": ' + b'[{"x": ' * 7_000_000),
    )
    for _ in range(count - len(long_lines)):
        kind = rng.choice(kinds)
        yield kind, spoil(good_file(kind, rng), rng)
    yield from long_lines
