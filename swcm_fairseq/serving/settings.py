"""What a server is told when it starts."""

from typing import NamedTuple, Tuple

from ..decoding.hypotheses import BATCH_SIZE, BEAM, MAX_LEN, MAX_PIECES

# The longest way to write one character: two escapes of JSON ("\\ud83d\\ude00"), or four of a form ("%F0%9F%98%80").
_BYTES_A_CHARACTER = 12
_OTHER_BYTES = 65536  # for all that stands around the text


class Settings(NamedTuple):
    """How much a server takes, and how long it waits.

    Attributes:
        beam: width of the beam; also the most texts that are found for a sentence.
        max_len: most pieces of an output.
        batch_size: most sentences decoded together.
        batch_wait: seconds that a sentence waits for others to be decoded with.
        queue: most requests in the house at once; further ones are told to come again (429).
        max_chars: most characters of a request, all its texts together.
        max_pieces: a line of more pieces is decoded in parts.
        timeout: seconds in which a request is answered.
        slow: seconds that a client may take to send a request's head, and as many for its body or for taking a part of
            the answer.
        sources: languages offered to translate from; none: those that the model's dictionary has.
    """

    beam: int = BEAM
    max_len: int = MAX_LEN
    batch_size: int = BATCH_SIZE
    batch_wait: float = 0.005
    queue: int = 256
    max_chars: int = 20000
    max_pieces: int = MAX_PIECES
    timeout: float = 60.0
    slow: float = 10.0
    sources: Tuple[str, ...] = ()

    @property
    def max_body(self) -> int:
        """Most bytes of a request's body: what ``max_chars`` can take however they are written."""
        return _BYTES_A_CHARACTER * self.max_chars + _OTHER_BYTES
