"""The nine steps in which a handshake is usually told, in a beginner's words, each with the messages that made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pkiplan.verify.results import Reason
from pkiplan.verify.trace.story import StepState, TraceMessage, TraceStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What the steps are told from: the messages, what was agreed, what each side looked at, and the end.

    `client_checked` and `server_checked` are the path that side accepted, its own peer's certificate first.
    """

    messages: Sequence[TraceMessage]
    host: str
    is_1_3: bool
    group: str
    client_checked: tuple[str, ...] = ()
    server_checked: tuple[str, ...] = ()
    reason: Reason

    def numbers(self, name: str, sender: str | None = None) -> tuple[int, ...]:
        """List the messages of a name, by one side or both."""
        return tuple(m.number for m in self.messages if m.name == name and sender in (None, m.sender))

    @property
    def asks_for_client(self) -> bool:
        """Tell whether the server asked for a client certificate."""
        return bool(self.numbers("CertificateRequest"))

    @property
    def has_sent_client_certificate(self) -> bool:
        """Tell whether the client could show one."""
        return bool(self.numbers("CertificateVerify", "client"))


def tell(talk: Talk) -> tuple[TraceStep, ...]:
    """Tell a handshake in nine steps."""
    tellers = (_hello, _answer, _client_judges, _secret, _client_shows, _server_judges, _keys, _finished, _data)
    return tuple(_step(number, talk, teller) for number, teller in enumerate(tellers, start=1))


# The step at which the server answers.
_ANSWER = 2

_Told = tuple[str, str, StepState, tuple[int, ...]]


def _step(number: int, talk: Talk, teller: Callable[[Talk], _Told]) -> TraceStep:
    title, text, state, messages = teller(talk)
    if number > _ANSWER and not talk.numbers("ServerHello"):
        # Nothing was asked for, agreed or skipped by a server that never said hello.
        text, state, messages = "The handshake did not get so far.", StepState.NOT_REACHED, ()
    return TraceStep(number=number, title=title, text=text, state=state, messages=messages)


def _reached(*messages: int) -> StepState:
    return StepState.DONE if messages else StepState.NOT_REACHED


def _hello(talk: Talk) -> _Told:
    messages = talk.numbers("ClientHello")
    text = "The client says which versions and cipher suites it speaks, which name it wants, and a random number."
    if talk.is_1_3:
        text += " It already sends its half of a key agreement (key share), so that no time is lost."
    return "The client says hello", text, _reached(*messages), messages


def _answer(talk: Talk) -> _Told:
    names = ("ServerHello", "EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify")
    messages = tuple(sorted(n for name in (*names, "ServerHelloDone") for n in talk.numbers(name, "server")))
    text = "The server chooses version and cipher suite, adds its own random number, and shows its certificate with the"
    text += " authorities between it and the root."
    if talk.asks_for_client:
        text += " It also asks the client for a certificate (CertificateRequest)."
    if talk.is_1_3:
        text += " From here on everything is encrypted, the certificates too."
    title = "The server answers with its certificate"
    if not talk.numbers("Certificate", "server") and talk.numbers("ClientHello"):
        alerts = talk.numbers("Alert", "server")
        return title, f"The server breaks off: {talk.reason.text}.", StepState.FAILED, (*messages, *alerts)
    return title, text, _reached(*messages), messages


def _client_judges(talk: Talk) -> _Told:
    title = "The client authenticates the server"
    if talk.reason.by == "client":
        messages = talk.numbers("Alert", "client")
        return title, f"The client refuses: {talk.reason.text}.", StepState.FAILED, messages
    if not talk.client_checked:
        return title, "The client got no certificate to judge.", StepState.NOT_REACHED, ()
    path = " ← ".join(talk.client_checked)
    text = f"The client followed the signatures from the certificate to a root that it trusts ({path}), and looked at"
    text += f" the dates, at the purpose, and whether the certificate holds the name it asked for ({talk.host})."
    text += " A signature made in this very handshake shows that the server has the private key."
    if not (talk.is_1_3 or talk.group):
        text = text.rpartition(" A signature")[0]
        text += " That the server has the private key shows later: only with it can it open the premaster secret."
    return title, text, StepState.DONE, ()


def _secret(talk: Talk) -> _Told:
    title = "Both come to a common secret"
    if talk.is_1_3:
        messages = (*talk.numbers("ClientHello")[:1], *talk.numbers("ServerHello")[:1])
        text = f"Each side puts the other's key share together with its own private half ({talk.group}) and gets the"
        text += " same secret, which never went over the wire."
    elif talk.group:
        messages = (*talk.numbers("ServerKeyExchange"), *talk.numbers("ClientKeyExchange"))
        text = f"Each side sends a fresh public value ({talk.group}); put together with its own private half, both get"
        text += " the same premaster secret, which never went over the wire."
    else:
        messages = talk.numbers("ClientKeyExchange")
        text = "The client makes up a premaster secret and sends it encrypted under the public key of the server's"
        text += " certificate. Whoever gets that private key later can read everything: no forward secrecy."
    is_there = bool(messages) if talk.is_1_3 else bool(talk.numbers("ClientKeyExchange"))
    return title, text, StepState.DONE if is_there else StepState.NOT_REACHED, messages


def _client_shows(talk: Talk) -> _Told:
    title = "The client shows who it is, if asked"
    if not talk.asks_for_client:
        return title, "The server did not ask for a client certificate.", StepState.SKIPPED, ()
    messages = tuple(sorted(talk.numbers("Certificate", "client") + talk.numbers("CertificateVerify", "client")))
    if not messages:
        return title, "The client did not get so far.", StepState.NOT_REACHED, ()
    if not talk.has_sent_client_certificate:
        return title, "The client has no certificate and says so with an empty list.", StepState.DONE, messages
    text = (
        "The client sends its certificate and signs everything said so far with its private key: a stolen certificate"
    )
    text += " without the key is worth nothing."
    return title, text, StepState.DONE, messages


def _server_judges(talk: Talk) -> _Told:
    title = "The server authenticates the client"
    if talk.asks_for_client and talk.reason.by == "server":
        messages = talk.numbers("Alert", "server")
        return title, f"The server refuses: {talk.reason.text}.", StepState.FAILED, messages
    if not talk.asks_for_client:
        return title, "Any client may come; who it is, the application may ask.", StepState.SKIPPED, ()
    if not talk.server_checked:
        return title, "The server got no certificate to judge.", StepState.NOT_REACHED, ()
    path = " ← ".join(talk.server_checked)
    text = f"The server followed the signatures to a root that it trusts ({path}), looked at the dates and the purpose,"
    text += " and checked the client's signature."
    return title, text, StepState.DONE, ()


def _keys(talk: Talk) -> _Told:
    title = "Both derive the session keys"
    messages = talk.numbers("ChangeCipherSpec")
    if talk.is_1_3:
        text = "From the common secret and everything said, both derive: handshake secret → handshake keys (they"
        text += " protect the certificates) → main secret → application keys, one for each direction."
        return title, text, _reached(*talk.numbers("ServerHello")), ()
    text = "premaster secret + both random numbers → master secret → session keys, one for each direction and use."
    text += " ChangeCipherSpec says: from my next byte on, encrypted."
    return title, text, _reached(*talk.numbers("ClientKeyExchange")), messages


def _finished(talk: Talk) -> _Told:
    messages = tuple(sorted(talk.numbers("Finished") + talk.numbers("NewSessionTicket")))
    text = "Each side sends a check value over the whole conversation, encrypted: had anybody changed a byte of it, the"
    text += " values would not agree."
    if talk.numbers("NewSessionTicket"):
        text += " The server adds a ticket with which the client may resume later."
    senders = {m.sender for m in talk.messages if m.name == "Finished"}
    if talk.is_1_3 and talk.reason.by == "server" and "client" in senders:
        text += " In TLS 1.3 the client is done before the server has judged it: that it finished proves nothing yet."
    state = StepState.DONE if senders == {"client", "server"} else StepState.NOT_REACHED
    return "Finished, both ways", text, state, messages


def _data(talk: Talk) -> _Told:
    title = "Application data, encrypted"
    messages = tuple(m.number for m in talk.messages if m.name == "ApplicationData")
    by = {m.sender for m in talk.messages if m.name == "ApplicationData"}
    if by == {"client", "server"} and not talk.reason.code:
        return title, "Bytes went both ways and arrived: the connection is accepted.", StepState.DONE, messages
    return title, "No answer came: the connection is not accepted.", StepState.NOT_REACHED, messages
