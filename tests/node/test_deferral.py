"""What a node never uses is not imported with it, and is as it always was for whoever does use it."""

import json
import subprocess
import sys

LOOK = """
import json, sys
import cocket.node.service, eth_account
tables = ["py_ecc.optimized_bls12_381.optimized_pairing", "py_ecc.optimized_bn128.optimized_curve", "py_ecc.fields"]
early = [name for name in tables if name in sys.modules]
from eth.precompiles import bls12_g1_add
from eth_keyfile import keyfile
from py_ecc import optimized_bn128 as bn128
public_key = keyfile.bls.SkToPk(1).hex()
late = [name for name in tables if name in sys.modules]
is_one = bn128.pairing(bn128.G2, bn128.multiply(bn128.G1, bn128.curve_order)) == bn128.FQ12.one()
from eth.precompiles.bls12_381.bls12_381_g1 import bls12_g1_add as real
try:
    bls12_g1_add(None)
except AttributeError as error:
    reason = str(error)
print(json.dumps({"early": early, "late": late, "key": public_key, "one": is_one, "reason": reason}))
"""


def test_curves_come_at_their_first_use() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(done.stdout)
    assert "py_ecc.optimized_bls12_381.optimized_pairing" not in told["early"]
    assert "py_ecc.optimized_bls12_381.optimized_pairing" in told["late"]
    # The generator of the first group, compressed.
    assert told["key"].startswith("97f1d3a73197d7942695638c4fa9ac0f")
    assert told["one"]
    assert told["reason"] == "'NoneType' object has no attribute 'msg'"
