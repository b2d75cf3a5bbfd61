#!/usr/bin/env python3
"""Makes the MaxMind DB files beside it: documentation networks (RFC 5737, RFC 3849), documentation AS numbers (RFC 5398), and country
codes that ISO 3166 leaves to users.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mmdb-writer==0.2.7 && /tmp/venv/bin/python make_mmdb.py
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = Path(__file__).parent

# Both kinds of records, over both versions of addresses.
both = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Documentation", languages=["en"],
                  description={"en": "documentation networks"}, int_type="u32")
for networks, record in [
    (["192.0.2.0/25"], {"country": {"iso_code": "XA", "names": {"en": "A"}}, "registered_country": {"iso_code": "XB"},
                        "autonomous_system_number": 64500}),
    (["192.0.2.128/25"], {"country": {"names": {"en": "?"}}, "registered_country": {"iso_code": "XB"}}),
    (["198.51.100.0/24"], {"autonomous_system_number": 64501}),
    (["203.0.113.0/24"], {"country": {"iso_code": "nowhere"}, "location": {"latitude": 1.5}}),
    (["2001:db8::/33"], {"country": {"iso_code": "XC"}, "autonomous_system_number": 4200000000}),
]:
    both.insert_network(IPSet(networks), record)
both.to_db_file(str(HERE / "documentation.mmdb"))

# Autonomous systems alone, IPv4 alone.
systems = MMDBWriter(ip_version=4, database_type="Documentation-ASN", description={"en": "documentation networks"},
                     int_type="u32")
for networks, number in [(["192.0.2.0/24"], 64510), (["203.0.113.0/24"], 64511)]:
    systems.insert_network(IPSet(networks), {"autonomous_system_number": number})
systems.to_db_file(str(HERE / "systems.mmdb"))

# Records of another kind.
other = MMDBWriter(ip_version=4, database_type="Documentation-Other", description={"en": "documentation networks"})
other.insert_network(IPSet(["192.0.2.0/24"]), {"is_anonymous": True})
other.to_db_file(str(HERE / "other.mmdb"))
