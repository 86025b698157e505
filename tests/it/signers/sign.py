# Signs events as Didit's own Python does: whole floats become integers, keys sorted, no blanks, letters as
# they are. Reads texts of JSON, one a line; writes each as its sender would send it, with its signature.
import hashlib, hmac, json, sys

def shorten(value):
    if isinstance(value, dict):
        return {name: shorten(own) for name, own in value.items()}
    if isinstance(value, list):
        return [shorten(own) for own in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

secret, ascii_only = sys.argv[1].encode(), sys.argv[2] == "ascii"
for line in sys.stdin:
    value = json.loads(line)
    text = json.dumps(shorten(value), sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
    v2 = hmac.new(secret, text.encode("utf-8"), hashlib.sha256).hexdigest()
    print(json.dumps({"body": json.dumps(value, ensure_ascii=True), "v2": v2}))
