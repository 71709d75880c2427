/// A fault of a file from outside: one line that names the file, the place in it, what was expected and what was found.
public struct FileError: Error, CustomStringConvertible, Equatable, Sendable {
    /// The file's path.
    public var path: String
    /// The key, index or field inside the file, if the fault lies in one.
    public var key: String?
    /// What was expected there.
    public var expected: String
    /// What was found instead.
    public var found: String
    /// A valid name close to the one that was found, if that helps.
    public var nearest: String?

    /// Describes a fault.
    public init(_ path: String, key: String? = nil, expected: String, found: String, nearest: String? = nil) {
        self.path = path
        self.key = key
        self.expected = expected
        self.found = found
        self.nearest = nearest
    }

    /// The most characters of each part that ``description`` shows: the rest of a line of a megabyte says nothing more.
    private static let longestPart = 600

    /// `path: key: expected …, found … (did you mean …?)`, in one line of bounded length, whatever came from the file:
    /// control characters are escaped.
    public var description: String {
        func shown(_ part: String) -> String { printable(part, limit: Self.longestPart) }
        // A path has a bound of its own.
        var line = printable(path, limit: 4096) + ": "
        if let key { line += shown(key) + ": " }
        line += "expected \(shown(expected)), found \(shown(found))"
        if let nearest { line += " (did you mean '\(shown(nearest))'?)" }
        return line
    }
}
