"""`tidegate convert`: a torch state dict into safetensors, without unpickling it."""

from __future__ import annotations

import json
import os

import click

from tidegate.cli.options import format_option, policy_option
from tidegate.cli.output import check_output, emit, emit_error, working


@click.command("convert")
@click.argument("source", metavar="MODEL.pt")
@click.argument("target", metavar="MODEL.safetensors")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Where in the checkpoint the state dict is; more than one leads further in. By default "
    "the usual places are looked at: state_dict, model_state_dict, model and the like.",
)
@click.option("--force", is_flag=True, help="Replace MODEL.safetensors where it is there already.")
@click.option(
    "--despite-findings",
    is_flag=True,
    help="Convert a file that the policy holds as well. Its tensors are read as data either way.",
)
@format_option("text", "json")
@policy_option
def command(
    source: str,
    target: str,
    keys: tuple[str, ...],
    *,
    force: bool,
    despite_findings: bool,
    form: str,
    policy: str | None,
) -> int:
    """Write the tensors of a torch file as safetensors, without loading it.

    MODEL.pt is what torch.save wrote of a state dict, in its zip format or the one before it, or
    of a checkpoint that has a state dict in it. It is scanned first. Nothing of it is unpickled:
    the pickle is read as data, and whatever is no plain tensor is refused by name.

    Exit code 0 when the file was written, 1 when the policy holds MODEL.pt, 3 when it holds
    something other than plain tensors or can't be read.
    """
    from tidegate.convert import convert
    from tidegate.convert.convert import identity_of
    from tidegate.examine import examine
    from tidegate.policy import resolve_policy

    check_output(target, (source,))
    identity = identity_of(os.path.abspath(source))  # noqa: PTH100 - no link is resolved
    chosen = resolve_policy(policy)
    with working(f"Scanning {source}"):
        seen = examine(source, chosen)
    if seen.error is not None:
        raise seen.error
    decision = seen.decision
    if decision is not None and not decision.allowed:
        emit_error(decision.explain())
        if not despite_findings:
            emit_error("Nothing was written. --despite-findings converts it all the same.")
            return 1 if decision.verdict == "fail" else 3
    with working(f"Converting {source}"):
        done = convert(source, target, keys=keys, force=force, identity=identity)
    if form == "json":
        row = {
            "schema": 1,
            "path": done.path,
            "tensors": done.tensors,
            "size": done.size,
            "keys": list(done.keys),
            "shared": list(done.shared),
        }
        emit(json.dumps(row, indent=2) + "\n")
        return 0
    inside = f", found under {' / '.join(done.keys)}" if done.keys else ""
    emit(f"{done.path}: {done.tensors} tensors, {done.size} bytes{inside}\n")
    if done.shared:
        names = ", ".join(done.shared[:6]) + (", …" if len(done.shared) > 6 else "")
        emit(f"  {len(done.shared)} of them shared storage, and have a copy each now: {names}\n")
    return 0
