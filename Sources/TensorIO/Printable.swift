/// A name from a file as it may stand in an error line: control characters escaped, and cut after `limit` characters.
package func printable(_ name: String, limit: Int = 96) -> String {
    var line = ""
    var length = 0
    for scalar in name.unicodeScalars {
        guard length < limit else { return line + "…" }
        let isControl =
            scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029
        line += isControl ? scalar.escaped(asASCII: true) : String(scalar)
        length += 1
    }
    return line
}
