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

    /// `path: key: expected …, found … (did you mean …?)`
    public var description: String {
        var line = path + ": "
        if let key { line += key + ": " }
        line += "expected \(expected), found \(found)"
        if let nearest { line += " (did you mean '\(nearest)'?)" }
        return line
    }
}
