from cocket.node.deferral import defer_curves

defer_curves()  # before any module here imports ``eth`` or ``eth_account``
