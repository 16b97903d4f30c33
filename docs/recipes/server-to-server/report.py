"""Reports conversions to Tributary, signed, and again when it asks to wait."""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = os.environ["TRIBUTARY_URL"]  # https://t.example
SECRET_ID = os.environ["TRIBUTARY_SECRET_ID"]  # sec_…
SECRET = os.environ["TRIBUTARY_SECRET"].encode()  # trb_hmac_…


def report(conversions, path="/t/conversions", attempts=6):
    """Sends a conversion, or a list of up to 1,000, and returns the result of each."""
    body = json.dumps(conversions).encode()
    for attempt in range(attempts):
        now = str(int(time.time()))  # every attempt is signed anew: a signature lives for 5 minutes
        signature = hmac.new(SECRET, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(URL + path, body, {
            "Content-Type": "application/json",
            "Tributary-Key-Id": SECRET_ID,
            "Tributary-Timestamp": now,
            "Tributary-Signature": "v1=" + signature,
        })
        wait = 2**attempt
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["results"]
        except urllib.error.HTTPError as error:
            if error.code not in (429, 500, 502, 503, 504):
                raise RuntimeError(f"{error.code}: {error.read().decode()}") from None
            wait = max(wait, int(error.headers.get("Retry-After") or 0))
        except OSError:
            pass  # no answer: an order counts once, so it is safe to send it again
        if attempt < attempts - 1:
            time.sleep(min(wait, 60))
    raise RuntimeError("no answer: keep the conversions and send them later")


if __name__ == "__main__":
    results = report(json.load(sys.stdin), *sys.argv[1:2])
    print(json.dumps(results))
    sys.exit(any(result["status"] == "rejected" for result in results))
