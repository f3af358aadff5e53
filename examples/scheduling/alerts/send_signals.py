#!/usr/bin/env python3
"""Send the new signals of the service's last complete month, by mail, to Slack, or both; needs Python alone.

    make refresh && python3 examples/scheduling/alerts/send_signals.py

RAPPORT_MAILTO: address; mail goes through the server of RAPPORT_SMTP (default localhost:25), from RAPPORT_MAILFROM.
RAPPORT_SLACK_HOOK: address of an incoming web hook.
Nothing is sent if the refresh before told the same, or if nothing is new.
"""

import json
import os
import smtplib
import sys
import urllib.request
from email.message import EmailMessage
from pathlib import Path


def main(path: Path) -> None:
    """Send what is new in a file of signals."""
    told = json.loads(path.read_text(encoding="utf-8"))
    new = [signal["words"] for signal in told["signals"] if signal["is_new"]]
    if not told["is_changed"] or not new:
        return
    subject = f"Rapport: {len(new)} new signal{'s' if len(new) > 1 else ''} of {told['month']}"
    if mailto := os.environ.get("RAPPORT_MAILTO"):
        mail = EmailMessage()
        mail["Subject"], mail["To"] = subject, mailto
        mail["From"] = os.environ.get("RAPPORT_MAILFROM", mailto)
        mail.set_content("\n".join(new) + "\n")
        server, _, port = os.environ.get("RAPPORT_SMTP", "localhost:25").partition(":")
        with smtplib.SMTP(server, int(port or 25), timeout=30) as smtp:
            smtp.send_message(mail)
    if hook := os.environ.get("RAPPORT_SLACK_HOOK"):
        text = "\n".join([f"*{subject}*", *(f"• {words}" for words in new)])
        request = urllib.request.Request(
            hook, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reports/signals.json"))
