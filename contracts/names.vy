# pragma version ==0.4.3
# pragma evm-version london
"""
@title Names of the contracts in the Directory
@notice ASCII, padded with zeros on the right. Each contract finds the others under these names at call time.
"""

CONSORTIUM: constant(bytes32) = 0x436f6e736f727469756d00000000000000000000000000000000000000000000
PARTICIPANTS: constant(bytes32) = 0x5061727469636970616e74730000000000000000000000000000000000000000
CERTIFICATES: constant(bytes32) = 0x4365727469666963617465730000000000000000000000000000000000000000
