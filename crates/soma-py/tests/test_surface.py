"""The documented surface: module, stub and table of docs/python.md agree."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soma_sdk

HERE = Path(__file__).parent
GUIDE = HERE.parents[2] / "docs" / "python.md"

#: What scripts written for the published package rely on: parameters in order, with defaults.
KEYPAIR = {
    "generate": "",
    "from_secret_key": "secret",
    "from_mnemonic": "mnemonic",
    "from_encoded": "encoded",
    "address": "",
    "sign": "tx_data_bytes",
    "to_secret_key": "",
    "to_encoded": "",
}
STATIC = {
    "encrypt_weights": "data, key=None",
    "decrypt_weights": "data, key",
    "commitment": "data",
    "to_shannons": "amount",
    "to_soma": "shannons",
    "model_manifest": "url, encrypted_weights=None, checksum=None, size=None, decryption_key=None",
}
NEXT = "next_epoch_network_address=None, next_epoch_p2p_address=None, "
NEXT += "next_epoch_primary_address=None, next_epoch_proxy_address=None, "
NEXT += "next_epoch_protocol_pubkey=None, next_epoch_worker_pubkey=None, "
NEXT += "next_epoch_network_pubkey=None, next_epoch_proof_of_possession=None"
CLIENT = {
    "get_chain_identifier": "",
    "get_server_version": "",
    "get_protocol_version": "",
    "get_architecture_version": "",
    "get_embedding_dim": "",
    "get_model_min_stake": "",
    "check_api_version": "",
    "get_balance": "address",
    "get_object": "object_id",
    "get_object_with_version": "object_id, version",
    "list_owned_objects": "owner, object_type=None, limit=None",
    "get_latest_system_state": "",
    "get_epoch": "epoch=None",
    "get_active_models": "",
    "list_targets": "status=None, claimable=False, epoch=None, limit=None, read_mask=None, "
    "submitter=None, page_token=None",
    "get_targets": "status=None, claimable=False, epoch=None, limit=None, submitter=None",
    "get_model_manifests": "model_ids_or_target",
    "get_latest_checkpoint": "",
    "get_checkpoint_summary": "sequence_number",
    "get_transaction": "digest",
    "simulate_transaction": "tx_data_bytes",
    "execute_transaction": "tx_bytes",
    "create_model": "signer, commission_rate, stake_amount=None",
    "commit_model": "signer, model_id, weights_url, encrypted_weights, decryption_key, embedding",
    "reveal_model": "signer, model_id, decryption_key, embedding",
    "deactivate_model": "signer, model_id",
    "set_model_commission_rate": "signer, model_id, new_rate",
    "report_model": "signer, model_id",
    "undo_report_model": "signer, model_id",
    "submit_data": "signer, target_id, data, data_url, model_id, embedding, distance_score, "
    "loss_score",
    "claim_rewards": "signer, target_id",
    "report_submission": "signer, target_id",
    "undo_report_submission": "signer, target_id",
    "transfer_coin": "signer, recipient, amount",
    "transfer_objects": "signer, recipient, object_ids",
    "pay_coins": "signer, recipients, amounts",
    "merge_coins": "signer",
    "add_stake": "signer, validator, amount=None",
    "add_stake_to_model": "signer, model_id, amount=None",
    "withdraw_stake": "signer, staked_soma_id",
    "add_validator": "signer, pubkey_bytes, network_pubkey_bytes, worker_pubkey_bytes, "
    "proof_of_possession, net_address, p2p_address, primary_address, proxy_address",
    "remove_validator": "signer, pubkey_bytes",
    "update_validator_metadata": f"signer, {NEXT}",
    "set_validator_commission_rate": "signer, new_rate",
    "report_validator": "signer, reportee",
    "undo_report_validator": "signer, reportee",
    "score": "data_url, models, target_embedding, data=None, data_checksum=None, data_size=None, "
    "seed=0",
    "scoring_health": "",
    "advance_epoch": "",
    "request_faucet": "address",
    "fetch_model": "model_id",
    "fetch_submission_data": "target_id",
    "wait_for_next_epoch": "timeout=120.0",
    "get_next_epoch_timestamp": "",
    "get_following_epoch_timestamp": "",
}
#: Names that sdk.md of the published package does not give: any name does.
UNNAMED = {"secret", "mnemonic", "encoded", "tx_data_bytes", "tx_bytes", "object_id", "shannons"}
UNNAMED |= {"model_ids_or_target", "amount", "digest", "sequence_number"}
#: Also functions of the module.
HELPERS = (*STATIC, "tokenize", "sigreg_noise", "score_locally")


def parameters(function) -> list[tuple[str, object]]:
    signature = inspect.signature(function)
    return [(p.name, p.default) for p in signature.parameters.values() if p.name != "self"]


def expected(text: str) -> list[tuple[str, object]]:
    arguments = ast.parse(f"def f({text}): pass").body[0].args
    defaults = [ast.literal_eval(default) for default in arguments.defaults]
    names = [argument.arg for argument in arguments.args]
    missing = [inspect.Parameter.empty] * (len(names) - len(defaults))
    return list(zip(names, missing + defaults))


CASES = [
    *((soma_sdk.Keypair, name, text) for name, text in KEYPAIR.items()),
    *((soma_sdk.SomaClient, name, text) for name, text in (STATIC | CLIENT).items()),
]


@pytest.mark.parametrize(
    "owner, name, text", CASES, ids=[f"{owner.__name__}.{name}" for owner, name, _ in CASES]
)
def test_a_method_takes_what_the_published_one_takes(owner, name, text):
    found, wanted = parameters(getattr(owner, name)), expected(text)
    assert len(found) >= len(wanted), f"{name}{inspect.signature(getattr(owner, name))}"
    for (is_name, is_default), (name_wanted, default) in zip(found, wanted):
        assert is_name == name_wanted or name_wanted in UNNAMED, f"{name}: {is_name}"
        if default is not inspect.Parameter.empty:
            assert is_default == default and type(is_default) is type(default), f"{name}: {is_name}"
    for more, default in found[len(wanted) :]:
        assert default is not inspect.Parameter.empty, f"{name} asks for {more}"


def test_the_client_can_be_made_with_the_published_keywords():
    names = [name for name, _ in parameters(soma_sdk.SomaClient)]
    for keyword in ("rpc_url", "faucet_url", "scoring_url", "admin_url", "chain"):
        assert keyword in names


def public(owner) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def stubs() -> dict[str, ast.AST]:
    """Functions and classes of all stubs of the package by name."""
    folder = Path(soma_sdk.__file__).parent
    found = {}
    for stub in folder.glob("*.pyi"):
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found[node.name] = node
    return found


def stub_parameters(node) -> list[tuple[str, object]]:
    arguments = node.args
    names = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    empty = inspect.Parameter.empty
    defaults = [empty] * (len(names) - len(arguments.defaults))
    defaults += [ast.literal_eval(default) for default in arguments.defaults]
    both = list(zip(names, defaults))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        both.append((argument.arg, empty if default is None else ast.literal_eval(default)))
    return [(name, default) for name, default in both if name not in ("self", "cls")]


@pytest.mark.parametrize("owner", [soma_sdk.Keypair, soma_sdk.SomaClient], ids=lambda c: c.__name__)
def test_the_stub_of_a_class_is_what_the_module_has(owner):
    functions = {
        node.name: node
        for node in stubs()[owner.__name__].body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name for name in functions if not name.startswith("_")} == public(owner)
    for name in public(owner):
        if callable(getattr(owner, name)):
            assert stub_parameters(functions[name]) == parameters(getattr(owner, name)), name


@pytest.mark.parametrize("name", HELPERS)
def test_the_stub_of_a_function_is_what_the_module_has(name):
    assert getattr(soma_sdk, name) is getattr(soma_sdk.SomaClient, name)
    assert stub_parameters(stubs()[name]) == parameters(getattr(soma_sdk, name))


def test_the_stub_names_all_that_the_module_exports():
    exported = {name for name in soma_sdk.__all__ if not name.startswith("_")}
    text = "".join(p.read_text() for p in Path(soma_sdk.__file__).parent.glob("*.pyi"))
    for name in exported:
        assert hasattr(soma_sdk, name)
        assert re.search(rf"\b{name}\b", text), f"no stub names {name}"


def test_the_package_says_that_it_is_typed():
    assert (Path(soma_sdk.__file__).parent / "py.typed").exists()


def test_a_type_checker_accepts_a_script_and_the_analysis(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\n"
        "from soma_sdk import Keypair, SomaClient, TargetNotOpen, analysis\n"
        "async def main() -> float:\n"
        '    client = await SomaClient(chain="localnet")\n'
        "    balance: float = await client.get_balance(Keypair.generate().address())\n"
        "    found = await analysis.take_snapshot(client)\n"
        "    analysis.find_gaps(found)\n"
        "    try:\n"
        "        await client.claim_rewards(Keypair.generate(), found.targets[0].id)\n"
        "    except TargetNotOpen as error:\n"
        "        print(error.name, error.digest)\n"
        "    return balance\n"
        "asyncio.run(main())\n"
    )
    line = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(script)]
    for checked in (line, [*line[:-1], "-p", "soma_sdk.analysis"]):
        done = subprocess.run(checked, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


# The table of the guide ------------------------------------------------------------------------

ROW = re.compile(r"^\| `(\w+)\.(\w+)\((.*)\)` \|.*\| `(test_\w+)::(test_\w+)` \|$")


def rows() -> list[tuple[str, str, str, str, str]]:
    return [m.groups() for m in map(ROW.match, GUIDE.read_text().splitlines()) if m]


def shown(function) -> str:
    parts = []
    for name, default in parameters(function):
        parts.append(name if default is inspect.Parameter.empty else f"{name}={default!r}")
    return ", ".join(parts)


def test_the_guide_lists_every_method_with_its_parameters():
    listed = {(owner, name): text for owner, name, text, *_ in rows()}
    owners = {"Keypair": soma_sdk.Keypair, "SomaClient": soma_sdk.SomaClient}
    wanted = {(label, name) for label, owner in owners.items() for name in public(owner)}
    assert set(listed) == wanted
    for (owner, name), text in listed.items():
        assert text == shown(getattr(owners[owner], name)), name


def test_every_test_that_the_guide_names_calls_its_method():
    for _, name, _, file, test in rows():
        source = HERE / f"{file}.py"
        assert source.exists(), f"{file} of {name}"
        found = [
            node
            for node in ast.walk(ast.parse(source.read_text()))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == test
        ]
        assert found, f"no {test} in {file}"
        called = {n.attr for n in ast.walk(found[0]) if isinstance(n, ast.Attribute)}
        assert name in called, f"{file}::{test} does not call {name}"
