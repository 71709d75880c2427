/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Fault: Equatable, Sendable, CustomStringConvertible {
        /// The file, or `--set` for an override, or `configuration` for a value made in code.
        public var file: String
        /// The line, counted from 1, where it is known.
        public var line: Int?
        /// The column, counted from 1, of a syntax error.
        public var column: Int?
        /// The key with its sections, such as `training.steps`.
        public var key: String?
        /// What was expected and what was found.
        public var message: String

        /// Describes a fault.
        public init(_ file: String, line: Int? = nil, column: Int? = nil, key: String? = nil, message: String) {
            self.file = file
            self.line = line
            self.column = column
            self.key = key
            self.message = message
        }

        /// `file:line:column: key: message` in one line.
        public var description: String {
            var place = file
            if let line { place += ":\(line)" }
            if let column { place += ":\(column)" }
            if let key { place += ": \(key)" }
            return "\(place): \(message)"
        }
    }

    /// The faults, in the order of the file.
    public var faults: [Fault]

    /// Collects faults.
    public init(_ faults: [Fault]) { self.faults = faults }

    /// One line a fault.
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
