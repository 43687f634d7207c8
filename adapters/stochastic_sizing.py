"""Sizes of PV and battery of least yearly cost over years that may come: sizes first, dispatch as recourse.

::

    min  annuity_pv pv + annuity_battery B + sum_s p_s a sum_t dt (buy_st m_st - sell_st x_st)
    m_st - x_st - c_st + d_st + profile_st pv  >=  load_st          (what is above is curtailed; = if PV may not be)
    e_st = e_s(t-1) + dt (eta_c c_st - d_st / eta_d),   soc_min B <= e_st <= soc_max B,   a year ends as it began
    c_st + d_st <= power_per_kwh B

``a`` brings the steps to a year. The battery keeps the shape of the home's own: efficiencies, window, kW per kWh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hidiff.home import Home
from hidiff.prices import export_price_per_kwh, import_price_per_kwh
from hidiff.scenarios import ScenarioSet

from .stochastic import FirstStage, Floats, Risk, SecondStage, StochasticProgramme, scenario_names, two_stage
from .stochastic_solve import Method, StochasticSolution, decision_costs, solve_stochastic

HOURS_PER_YEAR = 8766.0


@dataclass(frozen=True, kw_only=True)
class SizingCosts:
    """What a kWp and a kWh cost, over their lives."""

    pv_cost_per_kwp: float = 1200.0
    """Of PV with its inverter [currency/kWp]."""
    battery_cost_per_kwh: float = 400.0
    """Of the battery with its inverter [currency/kWh]."""
    pv_life_years: float = 25.0
    """Years that PV is paid over."""
    battery_life_years: float = 12.0
    """Years that the battery is paid over."""
    discount_rate: float = 0.05
    """Interest of a year; 0 for none."""
    pv_max_kwp: float = 15.0
    """Room on the roof [kWp]."""
    battery_max_kwh: float = 40.0
    """Largest battery [kWh]."""

    def __post_init__(self) -> None:
        for name in (
            "pv_cost_per_kwp",
            "battery_cost_per_kwh",
            "discount_rate",
            "pv_max_kwp",
            "battery_max_kwh",
        ):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and finite")
        for name in ("pv_life_years", "battery_life_years"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 and finite")

    @property
    def pv_per_kwp_year(self) -> float:
        """Annuity of a kWp [currency/year]."""
        return self.pv_cost_per_kwp * annuity(self.discount_rate, self.pv_life_years)

    @property
    def battery_per_kwh_year(self) -> float:
        """Annuity of a kWh [currency/year]."""
        return self.battery_cost_per_kwh * annuity(self.discount_rate, self.battery_life_years)


def annuity(rate: float, years: float) -> float:
    """Yearly payment per currency borrowed."""
    return 1 / years if rate == 0 else float(rate / (1 - (1 + rate) ** -years))


@dataclass(frozen=True, kw_only=True, eq=False)
class SizingScenarios:
    """Years that may come; arrays ``(scenario, step)``.

    Raises:
        ValueError: shapes that differ, gaps, negative power, prices at which energy is turned over without end.
    """

    load_kw: Floats
    """Load [kW]."""
    pv_per_kwp: Floats
    """Generation of a kWp [kW/kWp]."""
    import_price: Floats
    """Price of import [currency/kWh]."""
    export_price: Floats
    """Paid for export [currency/kWh]."""
    probability: Floats
    """``(scenario,)``"""
    dt_h: float
    """Step length [h]."""
    daily_charge: float = 0.0
    """Fixed charge [currency/day]."""

    def __post_init__(self) -> None:
        for name in ("load_kw", "pv_per_kwp", "import_price", "export_price"):
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != self.load_kw.shape:
                raise ValueError(
                    f"{name} has shape {values.shape}, load_kw {self.load_kw.shape}; give (scenario, step)"
                )
            least = -np.inf if name == "export_price" else 0.0
            bad = np.argwhere(~(np.isfinite(values) & (values >= least)))
            if len(bad):
                raise ValueError(
                    f"{name} is {values[tuple(bad[0])]} at scenario {bad[0][0]}, step {bad[0][1]}; it must be finite"
                    + (" and at least 0" if least == 0 else "")
                )
        bad = np.argwhere(self.export_price > self.import_price)
        if len(bad):
            raise ValueError(
                f"export_price is above import_price at scenario {bad[0][0]}, step {bad[0][1]}: energy would be turned "
                "over without end; lower it"
            )
        if len(self.probability) != len(self.load_kw):
            raise ValueError(f"{len(self.probability)} probabilities for {len(self.load_kw)} scenarios")
        if not 0 < self.dt_h <= 24:
            raise ValueError(f"dt_h is {self.dt_h}; it must be above 0 and at most 24")

    @property
    def per_year(self) -> float:
        """Years in a year over years in a scenario."""
        return float(HOURS_PER_YEAR / (self.load_kw.shape[1] * self.dt_h))


def sizing_scenarios(scenario_set: ScenarioSet, home: Home, name: str | None = None) -> SizingScenarios:
    """Years of one home of a set, with the prices of the home's tariff.

    Args:
        name: of the home in the set; the only one by default.

    Raises:
        ValueError: a home without PV to take the profile from; charges by power or by month.
    """
    home.tariff.require_energy_only("the sizing")
    if name is None and len(scenario_set.homes) > 1:
        raise ValueError(f"the set has {len(scenario_set.homes)} homes; name one")
    one = scenario_set.select(homes=[0 if name is None else name])
    recorded_kwp = float(one.homes["pv_capacity_kwp"].iloc[0])
    if not recorded_kwp > 0:
        raise ValueError(
            f"home {one.home_names[0]!r} has {recorded_kwp} kWp, so there is no generation to scale; choose one with PV"
        )
    load_kw = np.asarray(one["load_kw"][:, 0], np.float64)
    spots = (
        np.asarray(one["wholesale_price_per_kwh"], np.float64)
        if "wholesale_price_per_kwh" in one.channels
        else [None] * len(one)
    )
    time, zone = one.time, one.time_zone
    return SizingScenarios(
        load_kw=load_kw,
        pv_per_kwp=np.asarray(one["pv_kw"][:, 0], np.float64) / recorded_kwp,
        import_price=np.stack([import_price_per_kwh(home.tariff, time, zone, spot) for spot in spots]),
        export_price=np.stack([export_price_per_kwh(home.tariff, time, zone, spot) for spot in spots]),
        probability=one.probability,
        dt_h=one.dt_h,
        daily_charge=home.tariff.daily_charge,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sizing:
    """The sizes of least cost."""

    pv_kwp: float
    battery_kwh: float
    yearly_cost: float
    """Annuities and bill of the mean year [currency/year]; with risk, what was minimised is in ``solution``."""
    solution: StochasticSolution


def size_home(
    scenarios: SizingScenarios,
    home: Home,
    costs: SizingCosts | None = None,
    *,
    risk: Risk | None = None,
    method: Method = "choose",
    time_limit_s: float | None = None,
    progress: bool = False,
) -> Sizing:
    """PV and battery of least yearly cost.

    Args:
        home: shape of the battery, limits of the connection, and whether PV may be curtailed.
        costs: of PV and battery; the defaults where they are not given.
        risk: the mean year where it is not given.
        time_limit_s: see `solve_stochastic`; likewise ``method`` and ``progress``.

    Raises:
        InfeasibleError: the connection cannot carry the load.
        ValueError: a home without battery, or with devices that the sizing does not model.
    """
    programme = sizing_programme(scenarios, home, costs)
    solution = solve_stochastic(
        programme, risk=risk, method=method, time_limit_s=time_limit_s, progress=progress
    )
    pv_kwp, battery_kwh = (float(size) for size in solution.first)
    return Sizing(pv_kwp=pv_kwp, battery_kwh=battery_kwh, yearly_cost=solution.expected, solution=solution)


def sized_costs(
    scenarios: SizingScenarios,
    home: Home,
    pv_kwp: float,
    battery_kwh: float,
    costs: SizingCosts | None = None,
    *,
    progress: bool = False,
) -> Floats:
    """Yearly cost of given sizes in each scenario, annuities included, ``(scenario,)``; dispatch is the best there."""
    return decision_costs(
        sizing_programme(scenarios, home, costs), np.array([pv_kwp, battery_kwh]), progress=progress
    )


def sizing_programme(
    scenarios: SizingScenarios, home: Home, costs: SizingCosts | None = None
) -> StochasticProgramme:
    """The programme of `size_home`: columns PV and battery, then import, export, charge, discharge, energy."""
    costs, battery = costs or SizingCosts(), home.battery
    others = [name for name in ("car", "heat_pump", "tank", "appliances") if getattr(home, name)]
    if battery is None or others or not battery.is_linear:
        what = "no battery" if battery is None else f"{others[0]}" if others else "losses that are not linear"
        raise ValueError(
            f"the home has {what}; the sizing models PV and a battery with loss_per_kw=0 and soc_loss=0, so give a "
            "battery to size, and the rest as load"
        )
    count, steps = scenarios.load_kw.shape
    dt_h = scenarios.dt_h
    one, nothing = sparse.identity(steps, format="csr"), sparse.csr_matrix((steps, steps))
    back = sparse.csr_matrix(
        (np.ones(steps), (np.arange(steps), np.arange(-1, steps - 1) % steps)), shape=(steps, steps)
    )
    gain, drain = dt_h * battery.efficiency_charge, dt_h / battery.efficiency_discharge
    recourse = sparse.bmat(
        [
            [one, -one, -one, one, nothing],
            [nothing, nothing, -gain * one, drain * one, one - back],
            [nothing, nothing, one, one, nothing],
            [nothing, nothing, nothing, nothing, one],
            [nothing, nothing, nothing, nothing, one],
        ],
        format="csr",
    )
    share = battery.state_of_health
    power = min(max(battery.charge_max_kw, battery.discharge_max_kw) / battery.capacity_kwh, 1e3)
    flat, none = np.ones((steps, 1)), np.zeros((steps, 1))
    of_battery = np.concatenate(
        [none, none, -power * flat, -battery.soc_max * share * flat, -battery.soc_min * share * flat]
    )
    technology = [
        sparse.csr_matrix(np.hstack([np.concatenate([profile[:, None], *[none] * 4]), of_battery]))
        for profile in scenarios.pv_per_kwp
    ]
    free = np.full((count, steps), np.inf)
    zero = np.zeros((count, steps))
    load_kw = scenarios.load_kw + battery.standby_kw
    weight = scenarios.per_year * dt_h
    limits = [np.inf if limit is None else limit for limit in (home.import_limit_kw, home.export_limit_kw)]
    programme = two_stage(
        FirstStage(
            cost=[costs.pv_per_kwp_year, costs.battery_per_kwh_year],
            upper=[costs.pv_max_kwp, costs.battery_max_kwh],
        ),
        SecondStage(
            technology=technology,
            recourse=recourse,
            cost=np.hstack(
                [
                    weight * scenarios.import_price,
                    -weight * scenarios.export_price,
                    np.zeros((count, 3 * steps)),
                ]
            ),
            row_lower=np.hstack([load_kw, zero, -free, -free, zero]),
            row_upper=np.hstack([free if home.pv_curtailable else load_kw, zero, zero, zero, free]),
            upper=np.repeat([*limits, np.inf, np.inf, np.inf], steps),
        ),
        scenarios.probability,
        names=scenario_names(count),
    )
    programme.constant[:] = scenarios.daily_charge * HOURS_PER_YEAR / 24
    return programme
