"""Commands in processes that are forked from one which has torch and fairseq loaded already.

Loading them takes a process six seconds, more than most commands of the tests then work. So a server loads them once,
and nothing of this package. ``Preloaded.folder`` stands where recipes look for an environment's ``bin``: its programs
hand what they were called with to the server, which forks a process that goes on as Python would: another folder,
environment, descriptors, limits and signals, ``__main__``, and an end of its own. Where that could not be the same, as
with another number of threads, they start Python as always.

As a script: the server (``--serve``), or one of the programs.
"""

import array
import json
import os
import signal
import socket
import stat
import sys

#: What is read when Python or torch is loaded: with another value there, a command starts from nothing.
AT_START = ("PYTHON", "LD_", "LC_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "ATEN_", "ONEDNN_", "MALLOC_", "TORCH")
#: Of these, what a forked process can follow.
FOLLOWED = ("PYTHONPATH", "OMP_WAIT_POLICY", "TORCHELASTIC", "TORCH_NCCL")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
LIMITS = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK")


def at_start(environment):
    """The part of ``environment`` that a forked process cannot follow."""
    return {k: v for k, v in environment.items() if k.startswith(AT_START) and not k.startswith(FOLLOWED)}


class Preloaded:
    """A server with ``environment``, and the folder of programs that use it; they wait until it has loaded all."""

    def __init__(self, environment):
        import shutil
        import subprocess
        import tempfile

        self._remove = shutil.rmtree
        # A socket's path must be short.
        self.folder = tempfile.mkdtemp(prefix="swcm-")
        real = os.path.dirname(sys.executable)
        os.mkdir(os.path.join(self.folder, "bin"))
        program = os.path.join(self.folder, "program")
        with open(__file__, encoding="utf-8") as own, open(program, "w", encoding="utf-8") as stream:
            stream.write(f"#!{sys.executable} -IS\n" + own.read())
        os.chmod(program, stat.S_IRWXU)
        for name in os.listdir(real):
            ours = name.startswith(("fairseq-", "swcm-")) or name in ("python", "python3")
            os.symlink(program if ours else os.path.join(real, name), os.path.join(self.folder, "bin", name))
        environment = dict(environment, PYTHONIOENCODING="utf-8", OMP_WAIT_POLICY="PASSIVE")
        environment.pop("PYTHONPATH", None)
        with open(os.path.join(self.folder, "server.json"), "w") as stream:
            json.dump({"bin": real, "at_start": at_start(environment)}, stream)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.folder, "socket"))
            listener.listen(64)
            command = [sys.executable, __file__, "--serve", str(listener.fileno())]
            self._server = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def close(self):
        """End the server, and what a command that was given up has left running."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
        self._remove(self.folder, ignore_errors=True)


# The programs.


def call():
    """Have the server run what this program was called with, and end as that ends."""
    name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
    folder = os.path.dirname(os.path.realpath(__file__))
    with open(os.path.join(folder, "server.json")) as stream:
        server = json.load(stream)
    real = os.path.join(server["bin"], name)
    if name.startswith("python"):
        start = arguments[:2] if arguments[:1] in (["-c"], ["-m"]) else ["", *arguments[:1]]
        arguments = arguments[len(list(filter(None, start))) :]
    else:
        start = ["", real]
    whole = len(start) == 2 and (start[0] or os.path.isfile(start[1]))
    import resource

    mask = os.umask(0)
    os.umask(mask)
    ignored = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
    request = {
        "start": start,
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": mask,
        "ignored": ignored,
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
    }
    packed = json.dumps(request).encode()
    connection = socket.socket(socket.AF_UNIX)
    descriptors = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    try:
        if not whole or at_start(os.environ) != server["at_start"]:
            raise OSError("the real one is wanted")
        connection.connect(os.path.join(folder, "socket"))
        connection.sendmsg([len(packed).to_bytes(4, "big")], descriptors)
    except OSError:
        os.execv(real, [real, *sys.argv[1:]])
    for number in set(SIGNALS) - set(ignored):
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    connection.sendall(packed)
    status = b""
    while not status.endswith(b"\n"):
        got = connection.recv(64)
        if not got:
            raise SystemExit("the server of preloaded commands is gone")
        status += got
    code = int(status)
    if code < 0:
        if -code in SIGNALS:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


# The server.


def load():
    """Load what commands load, and return what has to happen again where a command loads fairseq."""
    import gc
    import importlib
    import logging

    libraries = ("trainer", "sequence_generator", "options", "binarizer", "data.iterators", "dataclass.initialize")
    for name in ("safetensors.torch", "sentencepiece", *("fairseq." + one for one in libraries)):
        importlib.import_module(name)
    # One of fairseq's modules sets up logging for everybody who has not done so before.
    handlers, level = logging.root.handlers[:], logging.root.level
    del logging.root.handlers[:]
    logging.root.setLevel(logging.WARNING)
    gc.collect()
    gc.freeze()

    def as_loaded():
        if not logging.root.handlers:
            logging.root.handlers.extend(handlers)
            logging.root.setLevel(level)

    return as_loaded


def serve(listener):
    """Wait for calls. Returns in the process of each that is to run one, with the request."""
    import select

    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            os._exit(0)
        connection = listener.accept()[0]
        while True:  # those that have ended
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break
        if os.fork():
            connection.close()
            continue
        listener.close()
        return watched(connection)


def watched(connection):
    """Fork the process that is to run the call, hand signals on to it, and say how it ended."""
    import select

    read, descriptors = bytearray(), array.array("i")
    got, extra, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(12))
    descriptors.frombytes(extra[0][2][:12])
    read += got
    size = int.from_bytes(got, "big")
    read = bytearray()
    while len(read) < size:
        read += connection.recv(size - len(read))
    ended, end = os.pipe()
    os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    child = os.fork()
    if not child:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, number in enumerate(descriptors):
            os.dup2(number, place)
        connection.close()
        os.closerange(3, 256)
        return json.loads(read.decode())
    for number in descriptors:
        os.close(number)
    while True:
        ready = select.select([connection, ended], [], [])[0]
        if ended in ready:
            os.read(ended, 64)
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                connection.sendall(b"%d\n" % code)
                os._exit(0)
        if connection in ready:
            numbers = connection.recv(64)
            for number in numbers or [signal.SIGKILL]:  # who called was killed
                os.kill(child, number)
            if not numbers:
                os.waitpid(child, 0)
                os._exit(0)


def become(request, path, as_loaded):
    """Make this process what a new Python would be, and run the program."""
    import builtins
    import importlib
    import resource
    import runpy
    import tempfile
    import types

    import numpy

    for one in SIGNALS:
        usual = signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL
        signal.signal(one, signal.SIG_IGN if one in request["ignored"] else usual)
    for name, values in request["limits"].items():
        resource.setrlimit(getattr(resource, name), values)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _output(1, "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _output(2, "backslashreplace")  # type: ignore[misc]
    numpy.random.seed()
    usual_import = builtins.__import__

    def watched_import(name, *rest, **options):
        if name.split(".")[0] == "fairseq":
            builtins.__import__ = usual_import
            as_loaded()
        return usual_import(name, *rest, **options)

    builtins.__import__ = watched_import
    kind, what = request["start"]
    sys.argv = [kind or what, *request["arguments"]]
    first = {"-c": "", "-m": os.getcwd(), "": os.path.dirname(os.path.realpath(what))}[kind]
    added = [os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:] = [first, *added, *path]
    importlib.invalidate_caches()
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if kind == "-m":
        runpy._run_module_as_main(what)  # type: ignore[attr-defined]
    elif kind == "-c":
        exec(compile(what, "<string>", "exec"), main.__dict__)
    else:
        main.__file__ = what
        with open(what, "rb") as stream:
            code = compile(stream.read(), what, "exec")
        exec(code, main.__dict__)


def _output(number, errors):
    import io

    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    file = open(number, "wb", 0 if at_once else -1, closefd=False)
    by_line = number == 2 and not at_once
    return io.TextIOWrapper(file, "utf-8", errors, "\n", line_buffering=by_line, write_through=at_once)


def end(program):
    """Run ``program``, and end this process as Python would, but for freeing what the system frees quicker."""
    import atexit
    import threading

    code = 0
    try:
        program()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        code = ended.code & 255 if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:
        code = 1
        sys.excepthook(*sys.exc_info())
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            code = -signal.SIGINT
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 120
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__" and sys.argv[1:2] == ["--serve"]:
    _path = sys.path[1:]  # without this folder
    _as_loaded = load()
    _request = serve(socket.socket(fileno=int(sys.argv[2])))
    end(lambda: become(_request, _path, _as_loaded))
elif __name__ == "__main__":
    call()
