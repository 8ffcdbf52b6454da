import os
import subprocess
import sys

import pytest

from swcm_fairseq.errors import SwcmError, printable, report_without_traceback, run_command


def test_problems_stand_on_lines_of_their_own():
    error = SwcmError("file x is wrong", ["line 1", "line 2"])
    assert str(error) == "file x is wrong\n  - line 1\n  - line 2"
    assert error.problems == ["line 1", "line 2"]
    assert str(SwcmError("one line")) == "one line" and SwcmError("one line").problems == []


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    "error, message",
    [
        (SwcmError("mend this"), "error: mend this\n"),
        (FileNotFoundError(2, "No such file", "x.txt"), "error: [Errno 2] No such file: 'x.txt'\n"),
        (
            OSError(28, "No space left on device"),
            "error: [Errno 28] No space left on device; make room and start again\n",
        ),
        (KeyboardInterrupt(), "interrupted\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_one(error, message, capsys):
    assert run_command(failing(error)) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", message)


def test_a_bug_keeps_its_traceback(capsys):
    assert run_command(failing(ZeroDivisionError("oops"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_exit_codes_of_main_and_argparse_pass_through():
    assert run_command(lambda: None) == 0
    assert run_command(lambda: 3) == 3
    with pytest.raises(SystemExit):
        run_command(failing(SystemExit(2)))


def test_the_hook_hides_the_traceback_of_user_errors_alone(capsys):
    seen = []
    hook = report_without_traceback(lambda *given: seen.append(given))
    for error in (SwcmError("mend this"), KeyboardInterrupt(), ValueError("bug")):
        hook(type(error), error, None)
    assert capsys.readouterr().err == "error: mend this\ninterrupted\n"
    assert [given[0] for given in seen] == [ValueError]


def test_fairseqs_complaints_of_flags_are_one_line(capsys):
    seen = []
    hook = report_without_traceback(lambda *given: seen.append(given))
    for error in (
        AssertionError("--sampling requires --nbest to be equal to --beam"),
        ValueError("Valid paths ['valid1'] will be ignored. Set --combine-val to combine them"),
        AssertionError("x - y --"),
        RuntimeError("--beam"),
    ):
        hook(type(error), error, None)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2 and shown[0] == "error: --sampling requires --nbest to be equal to --beam"
    assert [given[0] for given in seen] == [AssertionError, RuntimeError]


def test_a_process_ends_with_code_one_and_without_traceback(repo):
    program = (
        "import sys; sys.path.insert(0, {!r}); import swcm_fairseq.errors as e;"
        "sys.excepthook = e.report_without_traceback(sys.excepthook); raise e.SwcmError('mend this')"
    )
    done = subprocess.run([sys.executable, "-c", program.format(str(repo))], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"error: mend this\n")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "gbk", "ascii"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_cannot_be_printed_is_escaped(repo, encoding, stream):
    text = "қазақ \udcd6 é 中"
    program = (
        "import sys; sys.path.insert(0, {!r}); from swcm_fairseq.errors import run_command;"
        "sys.exit(run_command(lambda: print({}, file=sys.{})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format(str(repo), ascii(text), stream)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONIOENCODING=encoding + ":strict"),
    )
    assert done.returncode == 0, done.stderr
    written = done.stdout if stream == "stdout" else done.stderr
    assert written.decode(encoding).rstrip() == text.encode(encoding, "backslashreplace").decode(encoding)


def test_printable_is_text_for_every_file():
    assert printable("қ \udcd6.kk") == "қ \\udcd6.kk"
