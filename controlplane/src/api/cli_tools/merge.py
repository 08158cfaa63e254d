import json, os, re, shutil

def merged(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list) and all(isinstance(one, dict) and "id" in one for one in new):
        ours = {one["id"] for one in new}
        return new + [one for one in old if not (isinstance(one, dict) and one.get("id") in ours)]
    return new

def toml(text, new):
    """Replaces plain keys at the top and whole tables, and leaves every other line as it is."""
    plain = {name: value for name, value in new.items() if not isinstance(value, dict)}
    tables = {f"{outer}.{inner}": table for outer, value in new.items() if isinstance(value, dict)
              for inner, table in value.items()}
    kept, table = [], None
    for line in text.splitlines():
        heading = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", line) or re.match(r"\s*(\[\[)", line)
        if heading:
            table = heading.group(1)
        key = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)
        if table in tables or (table is None and key and key.group(1) in plain):
            continue
        kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    top = [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
    end = []
    for name, values in tables.items():
        end += ["", f"[{name}]"] + [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(top + kept + end) + "\n"

for file in json.loads(FILES):
    path = os.path.expanduser(file["path"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = ""
    if os.path.exists(path):
        # the first copy is the one from before
        if not os.path.exists(path + ".before-omniroute"):
            shutil.copy2(path, path + ".before-omniroute")
        with open(path, encoding="utf-8") as old:
            text = old.read()
    if file["format"] == "toml":
        text = toml(text, file["merge"])
    else:
        text = json.dumps(merged(json.loads(text) if text.strip() else {}, file["merge"]), indent=2) + "\n"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as new:
        new.write(text)
    print("wrote", path)
