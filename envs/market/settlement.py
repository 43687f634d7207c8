"""The books of a step: what homes, their retailers and the network operator receive, entered from both ends."""

from __future__ import annotations

from typing import NamedTuple

from hidiff.envs.ops import Value

from .clearing import Trade


class Ledger(NamedTuple):
    """Money received in a step [currency]; < 0 is paid."""

    homes: Value
    """Each home, ``(…, home)``."""
    retailer: Value
    """The retailers of each home's tariff together, ``(…)``."""
    network_operator: Value
    """Fees for the use of the local network, ``(…)``."""

    @property
    def balance(self) -> Value:
        """Sum of all accounts, ``(…)``: 0 but for rounding, or money came from nowhere."""
        return self.homes.sum(-1) + self.retailer + self.network_operator


def settle_accounts(trade: Trade, import_price: Value, export_price: Value, dt_h: float) -> Ledger:
    """Accounts of one step.

    The retailers' and the operator's side is reckoned from the energy at the meters, not from the homes' payments, so
    that the balance is a check of the rule: it is 0 only if what buyers pay for shared energy is what sellers get.
    """
    energy_cost = import_price * trade.grid_import_kw - export_price * trade.grid_export_kw
    return Ledger(
        homes=-trade.payment,
        retailer=energy_cost.sum(-1) * dt_h,
        network_operator=trade.fee.sum(-1),
    )
