"""The probes, by name: what is asked of every certificate, and of every rule of the manifest."""

from __future__ import annotations

from pkiplan.verify.probes.base import Probe, RuleProbe
from pkiplan.verify.probes.chain import chain
from pkiplan.verify.probes.client import client
from pkiplan.verify.probes.client_controls import client_controls
from pkiplan.verify.probes.connect import connect_checks
from pkiplan.verify.probes.ocsp_signer import ocsp_signer
from pkiplan.verify.probes.path import path
from pkiplan.verify.probes.rules import rule_checks
from pkiplan.verify.probes.server import server
from pkiplan.verify.probes.server_controls import server_controls
from pkiplan.verify.probes.signing import signing
from pkiplan.verify.probes.timestamping import timestamping

PROBES: dict[str, Probe] = {
    "chain-order": chain,
    "path": path,
    "server": server,
    "control-server": server_controls,
    "client": client,
    "control-client": client_controls,
    "cms-signature": signing,
    "ocsp-response": ocsp_signer,
    "timestamp": timestamping,
}

RULE_PROBES: dict[str, RuleProbe] = {
    "rule": rule_checks,
    "connect": connect_checks,
}
