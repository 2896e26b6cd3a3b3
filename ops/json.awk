# One value out of a JSON text, for shell scripts:  awk -v path=peers.0.state -f ops/json.awk <answer.json
# A path is names and (for arrays, from 0) numbers with dots between; a name that holds a dot ends the path.  Prints the
# value as it stands, a string without its quotes (escapes stay); nothing when there is none.  -v count=1 prints how many
# members an object or array has instead.
{ text = text $0 "\n" }

function blanks() { while (index(" \t\n\r", substr(text, at, 1)) && at <= end) at++ }

# Passes over the string that starts here.
function string(    from) {
    from = at++
    while (at <= end && (c = substr(text, at, 1)) != "\"") at += (c == "\\") ? 2 : 1
    at++
    return substr(text, from + 1, at - from - 2)
}

# Passes over the value that starts here; `rest` is what of the path is left, or "-" when this is not on it.
function value(rest,    c, from, n, key, want, more) {
    blanks(); c = substr(text, at, 1); from = at; n = 0
    if (c == "{" || c == "[") {
        at++; blanks()
        want = rest; more = ""
        if (rest != "-" && (i = index(rest, "."))) { want = substr(rest, 1, i - 1); more = substr(rest, i + 1) }
        while (at <= end && index("}]", substr(text, at, 1)) == 0) {
            key = n
            if (c == "{") { key = string(); blanks(); at++ }
            if (rest != "-" && rest != "" && key == rest) value("")
            else value(rest != "-" && rest != "" && key == want && more != "" ? more : "-")
            n++; blanks()
            if (substr(text, at, 1) == ",") { at++; blanks() }
        }
        at++
        if (rest == "" && !found) { found = 1; print count ? n : substr(text, from, at - from) }
    } else if (c == "\"") {
        key = string()
        if (rest == "" && !found) { found = 1; print key }
    } else {
        while (at <= end && index(",]} \t\n\r", substr(text, at, 1)) == 0) at++
        if (rest == "" && !found) { found = 1; print substr(text, from, at - from) }
    }
}

END {
    at = 1; end = length(text); found = 0
    value(path)
}
