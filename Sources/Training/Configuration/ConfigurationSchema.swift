/// The keys of a configuration. Reading, checking, writing and the documentation all follow this table.
public struct ConfigurationSchema<Root: RunSettings>: Sendable {
    /// Every key, in the order of the documentation.
    let fields: [ConfigurationField<Root>]
    /// The sections that may be absent.
    let optionalSections: [OptionalSection<Root>]
    /// Names of all sections, outer before inner.
    let sections: [String]
    /// Keys and sections that may change without making it another run: how long it takes and how fast it learns from here
    /// on, where its files lie, and what changes no result. That the files are the same ones, their fingerprints tell.
    let changeable: [String]
    /// The defaults, with empty required keys.
    let blank: @Sendable () -> Root
    /// Values that contradict each other: the key, what was expected and what was found.
    let contradictions: @Sendable (Root) -> [(key: String, expected: String, found: String)]

    init(
        _ fields: [ConfigurationField<Root>], optionalSections: [OptionalSection<Root>] = [], changeable: [String],
        blank: @escaping @Sendable () -> Root,
        contradictions: @escaping @Sendable (Root) -> [(key: String, expected: String, found: String)]
    ) {
        self.fields = fields
        self.optionalSections = optionalSections
        self.changeable = changeable
        self.blank = blank
        self.contradictions = contradictions
        sections = fields.reduce(into: []) { names, field in
            var name = ""
            for part in field.section.split(separator: ".") {
                name += (name.isEmpty ? "" : ".") + part
                if !names.contains(name) { names.append(name) }
            }
        }
    }
}

extension RunSettings {
    /// Whether every section around `key` is there.
    func has(_ key: String) -> Bool {
        Self.schema.optionalSections.allSatisfy { !(key + ".").hasPrefix($0.key + ".") || $0.isPresent(self) }
    }

    /// Values out of bounds and values that contradict each other.
    func valueFaults() -> [(key: String, message: String)] {
        var faults = Self.schema.fields.compactMap { field in
            has(field.key) ? field.fault(self).map { (key: field.key, message: $0) } : nil
        }
        for (key, expected, found) in Self.schema.contradictions(self) {
            // A value that is out of its own bounds needs no second line.
            if !faults.contains(where: { $0.key == key }) {
                faults.append((key, "expected \(expected), found \(found)"))
            }
        }
        return faults
    }

    /// Checks every bound and the keys against each other; the files that it names are left to
    /// ``validateFiles(source:isResuming:)``.
    ///
    /// Throws ``ConfigurationError`` with all faults. A configuration that was loaded has passed already.
    public func validate(source: String = "configuration") throws {
        let faults = valueFaults()
        guard faults.isEmpty else {
            throw ConfigurationError(faults.map { .init(source, key: $0.key, message: $0.message) })
        }
    }
}
