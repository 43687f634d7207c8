"""Sharing among homes: one function `clear` for all rules, the books of the step, and games of who gets what."""

from hidiff.market import PROMISES, Market, Promise, Rule

from .clearing import Trade, clear
from .settlement import Ledger, settle_accounts

__all__ = ["PROMISES", "Ledger", "Market", "Promise", "Rule", "Trade", "clear", "settle_accounts"]
