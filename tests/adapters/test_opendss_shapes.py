import shutil

import numpy as np
import pytest
from dss import DSS

from hidiff.adapters.opendss_shapes import write_opendss

from .export_sets import make_export_set

# A source of 240 V and a short line: homes see their rated voltage.
CIRCUIT = """clear
new circuit.street basekv=0.416 phases=3 pu=1.0 r1=0.0001 x1=0.0001 r0=0.0001 x0=0.0001
new line.main bus1=sourcebus bus2=street length=0.001 r1=0.01 x1=0.01 r0=0.01 x0=0.01 c1=0 c0=0
new energymeter.street element=line.main terminal=1
set voltagebases=[0.416]
calcvoltagebases"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # OpenDSS changes the folder that it works in
    return tmp_path


def test_meters_of_opendss_agree_with_our_energies(folder):
    scenario_set = make_export_set()
    buses = {"h0": "street.1", "h1": "street.2", "h2": "street.3"}
    out = write_opendss(scenario_set, folder / "out", buses=buses)
    for command in CIRCUIT.splitlines():
        DSS.Text.Command = command
    DSS.Text.Command = f"redirect {out / 'scenario-s1' / 'homes.dss'}"
    DSS.Text.Command = "new monitor.load element=load.h0_load terminal=1 mode=1 ppolar=no"
    DSS.Text.Command = "set mode=yearly stepsize=30m number=96"
    DSS.Text.Command = "solve"
    circuit = DSS.ActiveCircuit
    assert circuit.Solution.Converged
    circuit.Monitors.Name = "load"
    # Step by step: none is shifted.
    np.testing.assert_allclose(circuit.Monitors.Channel(1), scenario_set.read("load_kw", 1)[0], rtol=1e-4)
    consumption = sum(scenario_set.read(name, 1).sum() for name in ("load_kw", "ev_kw", "heat_kw")) * 0.5
    assert circuit.Meters.First == 1
    registers = dict(zip(circuit.Meters.RegisterNames, circuit.Meters.RegisterValues, strict=True))
    assert registers["Zone kWh"] == pytest.approx(consumption, rel=1e-4)
    circuit.Generators.Name = "h1_pv"
    generated = dict(zip(circuit.Generators.RegisterNames, circuit.Generators.RegisterValues, strict=True))
    assert generated["kWh"] == pytest.approx(scenario_set.read("pv_kw", 1)[1].sum() * 0.5, rel=1e-4)


def test_buses_and_homes_must_agree(folder):
    with pytest.raises(ValueError, match="differ in 'h1'"):
        write_opendss(make_export_set(), folder / "out", buses={"h0": "a", "h2": "c"})


@pytest.mark.real
def test_homes_on_the_13_bus_feeder_consume_what_they_should(folder, data_dir):
    scenario_set = make_export_set()
    for path in ((data_dir / "feeders" / "13Bus").iterdir(), [data_dir / "feeders" / "IEEELineCodes.DSS"]):
        for file in path:
            shutil.copy(file, folder / file.name)
    buses = {"h0": "671.1", "h1": "671.2", "h2": "671.3"}
    out = write_opendss(scenario_set, folder / "out", buses=buses, kv=2.4)
    DSS.Text.Command = "clear"
    DSS.Text.Command = f"redirect {folder / 'IEEE13Nodeckt.dss'}"
    DSS.Text.Command = f"redirect {out / 'scenario-s0' / 'homes.dss'}"
    for home in buses:
        DSS.Text.Command = f"new monitor.{home} element=load.{home}_load terminal=1 mode=1 ppolar=no"
    DSS.Text.Command = "set mode=yearly stepsize=30m number=96"
    DSS.Text.Command = "solve"
    assert DSS.ActiveCircuit.Solution.Converged
    for number, home in enumerate(buses):
        DSS.ActiveCircuit.Monitors.Name = home
        power_kw = DSS.ActiveCircuit.Monitors.Channel(1)
        np.testing.assert_allclose(power_kw, scenario_set.read("load_kw", 0)[number], rtol=1e-3)
