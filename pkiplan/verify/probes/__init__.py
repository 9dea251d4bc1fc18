"""The probes, by name: what is asked of every certificate, and of every rule of the manifest."""

from __future__ import annotations

from pkiplan.verify.probes.base import Probe
from pkiplan.verify.probes.chain import chain
from pkiplan.verify.probes.client import client
from pkiplan.verify.probes.client_controls import client_controls
from pkiplan.verify.probes.server import server
from pkiplan.verify.probes.server_controls import server_controls

PROBES: dict[str, Probe] = {
    "chain-order": chain,
    "server": server,
    "control-server": server_controls,
    "client": client,
    "control-client": client_controls,
}
