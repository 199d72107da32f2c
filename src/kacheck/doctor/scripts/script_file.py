"""What a vrrp_script's interpreter reads: small files of sh and bash as commands. Pure."""

import os
import re

from kacheck.doctor.machine.system import HEAD, System, which
from kacheck.doctor.scripts.program import Program
from kacheck.doctor.scripts.shell import SHELLS, VALUED, ShellCommand, commands, unwrapped

INTERPRETERS = (*SHELLS, "python", "python3", "perl", "ruby", "php", "node", "lua")
SHELL_TEXT = re.compile(r"-[a-zA-Z]*c|-")
RUNS_TEXT = re.compile(r"-[a-zA-Z]*[ceE]|--?eval|-m|-")
"""Options whose next word is not a file, and `-`, which is stdin: of shells, and of others."""
BLOCK_END = ("fi", "done", "esac", "}", ";;")
ELSE = "__else__"
"""Stands for else and elif, which shell.py takes for a part of the command behind them."""
BRANCH = (ELSE, *BLOCK_END)


def script_operand(argv: list[str]) -> str | None:
    """Return the file that an interpreter is to read, as in `timeout 2 bash FILE`; None: none."""
    words, _ = unwrapped(argv)
    name = re.sub(r"[0-9.]+$", "", os.path.basename(words[0])) if words else ""
    if name not in INTERPRETERS:
        return None
    takes_text = SHELL_TEXT if name in SHELLS else RUNS_TEXT
    for index, word in enumerate(words[1:], 1):
        if takes_text.fullmatch(word):
            return None
        if word[:1] not in ("-", "+") and not VALUED.fullmatch(words[index - 1]):
            return word
    return None


def shell_file(program: Program, system: System) -> str | None:
    """Return the text of the small shell file that a script runs; None where it is another."""
    path = program.real
    operand = script_operand(program.script.argv)
    if operand is not None:
        path = system.realpath(operand) if operand.startswith("/") else ""
        words, _ = unwrapped(program.script.argv)
        is_shell = os.path.basename(words[0]) in SHELLS
    else:
        words = system.head(path).split(b"\n")[0].decode("utf-8", "replace").split()
        is_shell = bool(re.match(r"#!.*\b(?:ba|da|a|k)?sh$", "".join(words[:1]))) or (
            words[:1] == ["#!/usr/bin/env"] and "".join(words[1:2]) in SHELLS
        )
    data = system.head(path) if path and is_shell else b""
    return data.decode("utf-8", "replace") if 0 < len(data) < HEAD else None


def file_commands(text: str) -> list[ShellCommand] | None:
    """Return the simple commands of a shell file; None where that is not certain."""
    if "<<" in text or "\0" in text or re.search(r"(?<!\S)exec\s", text):
        return None
    lines = [re.sub(r"(^|\s)#.*$", r"\1", line) for line in text.replace("\\\n", " ").splitlines()]
    joined = ";".join(line.strip().rstrip(";") for line in lines if line.strip())
    whole = commands([], re.sub(r"(?<![^;\s])(?:else|elif)(?=[;\s])", f"{ELSE};", joined))
    return whole or None


def missing_program(argv: list[str], system: System) -> str | None:
    """Return the program behind wrappers, such as `timeout 2 FILE`, that does not exist."""
    words, _ = unwrapped(argv)
    is_wrapped = len(words) < len(argv) and bool(words) and "!" not in argv
    if not is_wrapped or re.search(r"[$*?\[\]`]", words[0]):
        return None
    return words[0] if which(words[0], system) is None else None
