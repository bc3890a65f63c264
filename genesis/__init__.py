"""The founding: authorities' records and the contracts become one genesis.json that each of them has signed."""
