"""What homes cost that share their energy, for every coalition of them: one persistent linear programme in HiGHS.

A coalition's homes are metered as one: what one exports another uses, and only the rest is bought and sold, at the
prices that all members have. Because import costs at least what export earns, sharing never costs more. With ``net``
the members' load and standby less their PV::

    minimise  sum_t (import_price * import - export_price * export) * dt  +  wear of the batteries
    import - export = net + sum_b (charge_b - discharge_b) + curtailed              each step
    energy_b,t = energy_b,t-1 + (efficiency_c * charge_b - discharge_b / efficiency_d) * dt
    energy_b within the battery's window,  energy_b,T >= energy_b,0

A home is switched in and out by the right-hand sides and by its battery's bounds, so every coalition starts from the
optimum of the last. Batteries of one make (all fields equal, those that scale with size in proportion) are one
battery in the programme: copies of a convex set, scaled and summed, are the set scaled by the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from hidiff.envs.market.games import PLAYERS_MAX, coalition_sums
from hidiff.envs.tariffs import step_length_h
from hidiff.errors import NotConverged
from hidiff.home import Battery, Home
from hidiff.prices import export_price_per_kwh, import_price_per_kwh

from .battery_makes import makes_of, storage_rows, store_bounds
from .require import require

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]

HOME_FIELDS = ("battery", "tariff", "pv_capacity_kwp", "pv_curtailable")  # what the programme knows of a home
TARIFF_FIELDS = (
    "import_price_per_kwh", "periods", "export_price_per_kwh", "export_periods", "daily_charge",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Community:
    """Homes that may share their energy, and the prices that they have in common."""

    names: tuple[str, ...]
    """Names of the homes, ``(home,)``."""
    batteries: tuple[Battery | None, ...]
    """Their batteries, ``(home,)``."""
    net_kw: Floats
    """Load and standby less PV, without the battery's power, > 0 is import, ``(home, step)`` [kW]."""
    curtailable_kw: Floats
    """The part of each home's PV that may be turned down, ``(home, step)`` [kW]."""
    import_price: Floats
    """``(step,)`` [currency/kWh]"""
    export_price: Floats
    """``(step,)`` [currency/kWh]"""
    daily_charge: float
    """Fixed charge that each home pays, in a coalition or not [currency/day]."""
    dt_h: float
    """Step length [h]."""

    def __post_init__(self) -> None:
        homes, steps = len(self.names), len(self.import_price)
        if homes < 1 or len(self.batteries) != homes:
            raise ValueError(f"{homes} names and {len(self.batteries)} batteries; give one of each a home")
        for name in ("net_kw", "curtailable_kw"):
            power_kw = getattr(self, name)
            if power_kw.shape != (homes, steps):
                raise ValueError(
                    f"{name} has shape {power_kw.shape}; {homes} homes and {steps} steps need {(homes, steps)}"
                )
            if not np.isfinite(power_kw).all():
                home, step = np.argwhere(~np.isfinite(power_kw))[0]
                raise ValueError(f"{name} of {self.names[home]!r} is missing at step {step}; fill gaps first")
        if not (np.isfinite(self.import_price).all() and np.isfinite(self.export_price).all()):
            raise ValueError("a price is missing; fill gaps first")
        gap = self.export_price - self.import_price
        if gap.max() > 0:
            step = int(gap.argmax())
            raise ValueError(
                f"export earns {self.export_price[step]} and import costs {self.import_price[step]} at step {step}: "
                "homes would then gain by not sharing; lower the export price"
            )
        if self.import_price.min() < 0 and any(self.batteries):
            step = int(self.import_price.argmin())
            raise ValueError(
                f"import_price is {self.import_price[step]} at step {step}: below 0 a linear programme charges and "
                "discharges at once; raise it to 0"
            )
        for name, battery in zip(self.names, self.batteries, strict=True):
            if battery is not None and not battery.is_linear:
                raise ValueError(
                    f"the battery of {name!r} has loss_per_kw={battery.loss_per_kw}, soc_loss={battery.soc_loss}; the "
                    "programme is linear, set both to 0 and lower the efficiencies instead"
                )

    def __len__(self) -> int:
        return len(self.names)

    def select(self, homes: Sequence[int]) -> Community:
        """The community of some of the homes, by place."""
        return Community(
            names=tuple(self.names[home] for home in homes),
            batteries=tuple(self.batteries[home] for home in homes),
            net_kw=self.net_kw[list(homes)],
            curtailable_kw=self.curtailable_kw[list(homes)],
            import_price=self.import_price,
            export_price=self.export_price,
            daily_charge=self.daily_charge,
            dt_h=self.dt_h,
        )


def community(
    homes: Sequence[Home],
    load_kw: Floats,
    pv_kw: Floats,
    time: pd.DatetimeIndex,
    *,
    time_zone: str = "Australia/Sydney",
    names: Sequence[str] | None = None,
) -> Community:
    """The community of ``homes``, each with its row of load and PV.

    Args:
        homes: batteries, tariffs, PV; the tariff must be the same for all.
        load_kw: load, ``(home, step)`` [kW].
        pv_kw: generation available, already scaled to the home (``Home.pv_scale``), ``(home, step)`` [kW].
        time: step starts, zone-aware.
        time_zone: zone of the clock that the tariff's hours are read on.
        names: names of the homes; numbers by default.

    Raises:
        ValueError: tariffs that differ, values missing, shapes that do not match, or what the programme does not
            model: a device other than the battery, a limit of the connection, a demand charge.
    """
    load_kw, pv_kw = np.asarray(load_kw, float), np.asarray(pv_kw, float)
    shape = (len(homes), len(time))
    for name, power_kw in (("load_kw", load_kw), ("pv_kw", pv_kw)):
        if power_kw.shape != shape:
            raise ValueError(f"{name} has shape {power_kw.shape}; homes and time need {shape}")
        if not (power_kw >= 0).all():
            home, step = np.argwhere(~(power_kw >= 0))[0]
            raise ValueError(
                f"{name} is {power_kw[home, step]} for home {home} at step {step}; fill gaps and repair signs first"
            )
    known = tuple(str(place) for place in range(len(homes))) if names is None else tuple(names)
    for name, home in zip(known, homes, strict=True):
        _refuse_the_unknown(home, HOME_FIELDS, f"home {name!r}")
        _refuse_the_unknown(home.tariff, TARIFF_FIELDS, f"the tariff of home {name!r}")
        if home.tariff != homes[0].tariff:
            raise ValueError(
                f"home {name!r} has another tariff than home {known[0]!r}; a community buys and sells at common prices, "
                "give all homes one tariff"
            )
    export_price = export_price_per_kwh(homes[0].tariff, time, time_zone)
    burning = [
        name for name, home in zip(known, homes, strict=True) if home.battery and not home.pv_curtailable
    ]
    if export_price.min() < 0 and burning:
        raise ValueError(
            f"export costs {-export_price.min()} and home {burning[0]!r} has pv_curtailable=False: its battery could "
            "burn energy by charging and discharging at once; set pv_curtailable=True"
        )
    standby_kw = np.array([0.0 if home.battery is None else home.battery.standby_kw for home in homes])
    tariff = homes[0].tariff
    return Community(
        names=known,
        batteries=tuple(home.battery for home in homes),
        net_kw=load_kw + standby_kw[:, None] - pv_kw,
        curtailable_kw=pv_kw * np.array([home.pv_curtailable for home in homes])[:, None],
        import_price=import_price_per_kwh(tariff, time, time_zone),
        export_price=export_price,
        daily_charge=tariff.daily_charge,
        dt_h=step_length_h(time),
    )


def _refuse_the_unknown(config: Any, known: Sequence[str], where: str) -> None:
    """Raise where a field that the programme does not model is set."""
    for item in fields(config):
        if item.name in known or item.default is MISSING:
            continue
        value = getattr(config, item.name)
        if value != item.default:
            raise ValueError(
                f"{where} has {item.name}={value!r}, which the programme of coalitions does not model; leave it at "
                f"{item.default!r} (the consumption of a device may be added to load_kw)"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class CommunitySchedule:
    """The cheapest schedule of a coalition."""

    battery_kw: Floats
    """Battery power, > 0 charges, zeros for homes outside, ``(home, step)`` [kW]."""
    soc: Floats
    """State of charge at the END of each step; zeros without a battery, ``(home, step)``."""
    net_kw: Floats
    """Exchange of each home with the others and the grid, > 0 takes; the homes' energy profiles, ``(home, step)``."""
    import_kw: Floats
    """From the grid, all members together, ``(step,)`` [kW]."""
    export_kw: Floats
    """To the grid, all members together, ``(step,)`` [kW]."""
    internal_price: Floats
    """What one more kWh costs the coalition, between export and import price, ``(step,)`` [currency/kWh]."""
    cost: float
    """Bill and wear of all members [currency]."""
    internal_bill: Floats
    """What each home owes at the internal price, with its wear and its daily charge, ``(home,)`` [currency].

    They sum to ``cost``, and no coalition of homes could do better on its own (Owen, 1975: prices of a linear programme
    give payoffs in the core), whatever the number of homes.
    """


class CoalitionProgramme:
    """The linear programme of all homes, kept in HiGHS with its last optimum; `cost` switches homes in and out."""

    def __init__(self, homes: Community) -> None:
        highspy = require("highspy")
        self.homes = homes
        self._steps = steps = len(homes.import_price)
        self._makes, self._size_kwh = makes_of(homes.batteries)
        self._members = np.zeros(len(homes), bool)
        self._scale_kwh = np.zeros(len(self._makes))
        is_curtailed = bool(homes.export_price.min() < 0 and homes.curtailable_kw.any())
        self._kinds = 3 if is_curtailed else 2  # import, export and, where it may pay, curtailed
        self._fixed_cost = homes.daily_charge * steps * homes.dt_h / 24 + self._size_kwh @ np.array(
            [make.calendar_cost(steps, homes.dt_h) for make in self._makes]
        )
        self._low, self._high, self._wear_cost = store_bounds(self._makes, steps, homes.dt_h)
        matrix = storage_rows(self._makes, self._kinds, steps, homes.dt_h)
        rows, columns = matrix.shape
        prices = np.zeros((self._kinds, steps))
        prices[:2] = homes.import_price, -homes.export_price
        problem = highspy.HighsLp()
        problem.num_row_, problem.num_col_ = rows, columns
        self._column_cost = np.concatenate([prices.ravel() * homes.dt_h, self._wear_cost.ravel()])
        problem.col_cost_ = self._column_cost
        problem.col_lower_ = np.zeros(columns)
        problem.col_upper_ = np.where(np.arange(columns) < 2 * steps, highspy.kHighsInf, 0.0)
        problem.row_lower_ = problem.row_upper_ = np.zeros(rows)
        problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        problem.a_matrix_.start_, problem.a_matrix_.index_ = matrix.indptr, matrix.indices
        problem.a_matrix_.value_ = matrix.data
        self._optimal = highspy.HighsModelStatus.kOptimal
        self._solver = highspy.Highs()
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue("threads", 1)
        self._solver.passModel(problem)

    def cost(self, members: Members) -> float:
        """Least cost of a coalition, ``members`` a mask ``(home,)``: bill, daily charges, wear [currency].

        Raises:
            NotConverged: HiGHS stopped before the optimum.
        """
        if not members.any():
            return 0.0
        self._switch(members)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != self._optimal:
            raise NotConverged(
                f"HiGHS stopped before the optimum of a coalition of {members.sum()} homes: "
                f"{self._solver.modelStatusToString(status)}"
            )
        return float(self._solver.getInfo().objective_function_value + members @ self._fixed_cost)

    def schedule(self, members: Members) -> CommunitySchedule:
        """The cheapest schedule of a coalition, ``members`` a mask ``(home,)``, not empty."""
        if not members.any():
            raise ValueError("members is empty; a schedule needs at least one home")
        cost = self.cost(members)
        homes, steps, solution = self.homes, self._steps, self._solver.getSolution()
        values = np.asarray(solution.col_value)
        common = values[: self._kinds * steps].reshape(self._kinds, steps)
        stores = values[self._kinds * steps :].reshape(len(self._makes), 3, steps)
        size_kwh = self._size_kwh * members[:, None]
        per_kwh = np.divide(
            stores,
            self._scale_kwh[:, None, None],
            out=np.zeros_like(stores),
            where=self._scale_kwh[:, None, None] > 0,
        )
        charge_kw, discharge_kw, _ = np.einsum("hm,mkt->kht", size_kwh, per_kwh)
        wear = size_kwh @ (per_kwh * self._wear_cost).sum(axis=(1, 2))
        net_kw = members[:, None] * homes.net_kw + charge_kw - discharge_kw
        if self._kinds == 3:
            curtailable_kw = members[:, None] * homes.curtailable_kw
            share = common[2] / np.maximum(curtailable_kw.sum(axis=0), 1e-300)
            net_kw = net_kw + curtailable_kw * share
        internal_price = np.asarray(solution.row_dual)[:steps] / homes.dt_h
        return CommunitySchedule(
            battery_kw=charge_kw - discharge_kw,
            soc=(size_kwh > 0).astype(float) @ per_kwh[:, 2],
            net_kw=net_kw,
            import_kw=common[0],
            export_kw=common[1],
            internal_price=internal_price,
            cost=cost,
            internal_bill=net_kw @ internal_price * homes.dt_h + wear + members * self._fixed_cost,
        )

    def with_members(self, bills: Floats) -> tuple[Floats, Any, Floats, Floats]:
        """The programme with a column for each home in (1) or out (0), which costs less its bill.

        Returns:
            Costs, matrix, lower and upper limits of the rows; all columns are at least 0, the homes' are the last.
        """
        homes, steps, makes = self.homes, self._steps, len(self._makes)
        base = storage_rows(self._makes, self._kinds, steps, homes.dt_h)
        width, first = base.shape[1], self._kinds * steps
        store = np.arange(3 * steps * makes)
        make_of = store // (3 * steps)
        initial = sp.coo_array(
            ([make.soc_initial for make in self._makes], (steps * (1 + np.arange(makes)), np.arange(makes))),
            shape=(base.shape[0], makes),
        )
        net_kw = sp.vstack([sp.csr_array(homes.net_kw.T), sp.csr_array((steps * makes, len(homes)))])
        one = sp.eye_array(width, format="csr")
        bounds = []  # rows of at most 0: a store within its window, times the capacity that is in
        for sign, limit in ((1.0, self._high), (-1.0, self._low)):
            used = np.flatnonzero(limit.ravel()) if sign < 0 else store
            per_kwh = sp.coo_array(
                (-sign * limit.ravel()[used], (np.arange(len(used)), make_of[used])), shape=(len(used), makes)
            )
            bounds.append([sign * one[first + used], per_kwh, sp.csr_array((len(used), len(homes)))])
        if self._kinds == 3:
            curtailed = one[2 * steps : 3 * steps]
            bounds.append([curtailed, sp.csr_array((steps, makes)), -sp.csr_array(homes.curtailable_kw.T)])
        size_kwh = sp.csr_array(self._size_kwh.T)
        blocks = [
            [base, -initial, -net_kw],
            [sp.csr_array((makes, width)), sp.eye_array(makes), -size_kwh],
            *bounds,
        ]
        matrix = sp.vstack([sp.hstack(row) for row in blocks], format="csc")
        low = np.where(np.arange(matrix.shape[0]) < base.shape[0] + makes, 0.0, -np.inf)
        cost = np.concatenate([self._column_cost, np.zeros(makes), self._fixed_cost - bills])
        return cost, matrix, low, np.zeros(matrix.shape[0])

    def _switch(self, members: Members) -> None:
        """Make the programme that of a coalition; only what the homes that come and go have is changed."""
        if (members == self._members).all():
            return
        steps, homes = self._steps, self.homes
        net_kw = members @ homes.net_kw
        scale_kwh = members @ self._size_kwh
        moved = np.flatnonzero(scale_kwh != self._scale_kwh)
        rows = np.concatenate([np.arange(steps), steps * (1 + moved)]).astype(np.int32)
        initial_kwh = [self._makes[make].soc_initial * scale_kwh[make] for make in moved]
        sides = np.concatenate([net_kw, initial_kwh])
        self._solver.changeRowsBounds(len(rows), rows, sides, sides)
        if len(moved):
            low = (self._low[moved] * scale_kwh[moved, None, None]).ravel()
            high = (self._high[moved] * scale_kwh[moved, None, None]).ravel()
            block = np.arange(3 * steps)
            columns = self._kinds * steps + (3 * steps * moved[:, None] + block).ravel()
            self._solver.changeColsBounds(len(columns), columns.astype(np.int32), low, high)
        if self._kinds == 3:
            columns = np.arange(2 * steps, 3 * steps, dtype=np.int32)
            self._solver.changeColsBounds(steps, columns, np.zeros(steps), members @ homes.curtailable_kw)
        self._members, self._scale_kwh = members.copy(), scale_kwh


def standalone_costs(homes: Community) -> Floats:
    """What each home pays on its own, its battery at its best, ``(home,)`` [currency]."""
    curtailed_kw = np.where(
        homes.export_price < 0, np.minimum(homes.curtailable_kw, np.maximum(-homes.net_kw, 0)), 0
    )
    net_kw = homes.net_kw + curtailed_kw
    price = np.where(net_kw > 0, homes.import_price, homes.export_price)
    hours = len(homes.import_price) * homes.dt_h
    costs = (net_kw * price).sum(axis=1) * homes.dt_h + homes.daily_charge * hours / 24
    for home, battery in enumerate(homes.batteries):
        if battery is not None:
            costs[home] = CoalitionProgramme(homes.select([home])).cost(np.ones(1, bool))
    return np.asarray(costs)


def coalition_costs(homes: Community, groups: NDArray[np.int64] | None = None) -> Floats:
    """Least cost of every coalition, ``(2**players,)``, placed as in `hidiff.envs.market.games` [currency].

    Coalitions are visited in Gray-code order, in which neighbours differ by one player; the players with the fewest
    batteries come and go most often.

    Args:
        groups: player that each home belongs to, 0 to ``players - 1``, ``(home,)``; by default every home is one.

    Raises:
        ValueError: too many players.
    """
    player_of = np.arange(len(homes)) if groups is None else np.asarray(groups)
    if player_of.shape != (len(homes),) or set(player_of.tolist()) != set(range(int(player_of.max()) + 1)):
        raise ValueError(f"groups is {player_of}; it must give each of {len(homes)} homes one of 0, 1, 2 …")
    players = int(player_of.max()) + 1
    if players > PLAYERS_MAX:
        raise ValueError(
            f"{players} players have 2**{players} coalitions; at most {PLAYERS_MAX} can be listed: use clustered_game, "
            "or internal_bill of the grand coalition's schedule"
        )
    has_battery = np.array([battery is not None for battery in homes.batteries])
    order = np.argsort(np.bincount(player_of, weights=has_battery), kind="stable").tolist()
    homes_of = [player_of == player for player in range(players)]
    programme = CoalitionProgramme(homes)
    costs = np.zeros(2**players)
    members, coalition = np.zeros(len(homes), bool), 0
    for count in range(1, 2**players):
        player = order[(count & -count).bit_length() - 1]
        members ^= homes_of[player]
        coalition ^= 1 << player
        costs[coalition] = programme.cost(members)
    return costs


def savings(costs: Floats) -> Floats:
    """The game of what coalitions save: what their players cost alone less what they cost together."""
    players = len(costs).bit_length() - 1
    return np.asarray(coalition_sums(costs[2 ** np.arange(players)]) - costs)


def grand_coalition(homes: Community) -> CommunitySchedule:
    """The cheapest schedule of all homes together."""
    return CoalitionProgramme(homes).schedule(np.ones(len(homes), bool))
