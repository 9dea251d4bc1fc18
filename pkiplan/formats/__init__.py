"""How outputs are encoded. A new format is one file and one line here."""

from __future__ import annotations

from pkiplan.formats.base import OutputFormat
from pkiplan.formats.der import DerFormat
from pkiplan.formats.pem_chain import PemChainFormat
from pkiplan.formats.pem_combined import PemCombinedFormat
from pkiplan.formats.pkcs12 import Pkcs12Format

FORMATS: dict[str, OutputFormat] = {
    "pem-combined": PemCombinedFormat(),
    "pkcs12": Pkcs12Format(),
    "der": DerFormat(),
    "pem-chain": PemChainFormat(),
}
