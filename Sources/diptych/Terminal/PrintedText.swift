import TensorCore
import TensorIO

/// The program's `print`: every command's results go through it, so that no name, key or value from a file reaches the
/// terminal as anything but text. Lines keep their length; whoever prints what may be long cuts it (`printable`).
func print(_ text: String = "", terminator: String = "\n") {
    Swift.print(printableLines(text), terminator: terminator)
}

/// A line for each of the first hundred faults, then how many more there are. A file may have a million.
func faultLines(_ faults: [some CustomStringConvertible]) -> [String] {
    let most = 100
    let shown = faults.prefix(most).map { oneLine($0.description) }
    return faults.count > most ? shown + ["and \((faults.count - most).grouped) more"] : shown
}

/// A text in one line of bounded length, as it may stand on a terminal.
func oneLine(_ text: String) -> String {
    printable(text.split(whereSeparator: \.isNewline).joined(separator: " "), limit: 4000)
}
