# SPDX-License-Identifier: MIT
"""What encryption costs: the same stream drained in the clear and over TLS 1.3, in turns.

    build/venv/bin/python tests/bench/drain_tls.py [--rounds N] [--scale F]
"""

from bench_support import drain_command, in_turns, measured, nats_server, parser, scaled, workplace
from certificates import Certificate
from figures import Figures

EVENTS = 1_000_000
RATE, MORE = ">= 0.5", "<= 2.2"  # of the rate without; seconds of CPU more a million


def main():
    arguments = parser(__doc__).parse_args()
    events = scaled(EVENTS, arguments.scale)
    with workplace() as place, nats_server(place / "nats") as server:
        ca = Certificate("bench CA", ca=True)
        ca_file, _ = ca.write(place, "ca")
        cert, key = Certificate("server", ca, ["127.0.0.1"]).write(place, "server")
        ways = {
            "plain": ("", {}),
            "TLS 1.3": (
                f'tls {{ cert_file: "{cert}", key_file: "{key}" }}',
                {"ca_file": str(ca_file)},
            ),
        }
        server.add_stream()
        server.generate(events, simulations=1)

        def works(number):
            for way, (settings, tls) in ways.items():
                server.stop()
                server.configure(settings)
                server.start()
                name, source = f"{number}-{way[:3]}", {"delivery": "position"}
                nats = {"servers": [server.url], "tls": tls}
                command = drain_command(place, server, name, source, nats=nats)
                yield way, lambda command=command: measured(command, server)

        results = in_turns(arguments.rounds, works)
    table = Figures(f"TLS: {events:,} events, varve position")
    (plain, plain_cpu, *_), (tls, tls_cpu, *_) = results["plain"], results["TLS 1.3"]
    table.row("plain", events / plain, "events/s")
    table.row("plain", plain_cpu * 1e6 / events, "CPU s/M")
    table.row("TLS 1.3", events / tls, "events/s", "plain", plain / tls, RATE)
    table.row("TLS 1.3", tls_cpu * 1e6 / events, "CPU s/M", "plain", tls_cpu / plain_cpu)
    table.row("TLS 1.3, more than plain", (tls_cpu - plain_cpu) * 1e6 / events, "CPU s/M", aim=MORE)


if __name__ == "__main__":
    main()
