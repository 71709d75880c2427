internal import CYaml

/// What a pass over the events of a YAML text finds before a tree is made of it: whether it is YAML at all, how much its
/// aliases stand for, and every key that stands twice.
///
/// A text of three hundred bytes can stand for billions of values, and the library compares every key of a mapping with
/// all others by their whole trees. This pass keeps no more than the keys, and takes each event once.
struct ConfigurationEvents {
    /// The most levels of lists and mappings.
    static let deepest = 64
    /// The most values, those that aliases stand for counted each time.
    static let mostValues = 100_000

    /// A key that stands in a mapping once more.
    struct Duplicate: Equatable {
        /// The key with its sections.
        var key: String
        /// Where it stands again, and where it stood first, from 1.
        var line: Int, firstLine: Int
        /// The characters of the key and the value before it, counted in Unicode scalars.
        var earlier: Range<Int>
        /// Whether it stands between braces.
        var isInFlow: Bool
    }

    /// A text that is refused.
    struct Fault: Error {
        var line: Int?
        var column: Int?
        var message: String
    }

    private(set) var duplicates: [Duplicate] = []

    /// A list or a mapping that is not at its end yet.
    private struct Level {
        var isMapping: Bool
        var isInFlow: Bool
        /// The key of the level itself.
        var key: String
        var anchor: String?
        /// How many values came before it.
        var start: Int
        /// The levels inside it.
        var height = 0
        /// Of a mapping: the key whose value is awaited, and what came so far.
        var pending: (name: String, line: Int, start: Int)?
        var seen: [String: (firstLine: Int, last: Range<Int>)] = [:]
    }

    private var levels: [Level] = []
    private var count = 0
    /// What each anchor stands for.
    private var anchors: [String: (count: Int, height: Int)] = [:]
    private var documents = 0

    /// Passes over a text. Throws ``Fault`` when it is no YAML of one document, or out of bounds.
    init(_ text: String) throws(Fault) {
        var text = text
        let result = text.withUTF8 { bytes in Result { () throws(Fault) in try Self(bytes) } }
        self = try result.get()
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) throws(Fault) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        // The parser keeps its own address.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { throw Fault(message: "expected memory, found none") }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, start, bytes.count)
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw Self.fault(parser.pointee, bytes) }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT { return }
            try take(event)
        }
    }

    // MARK: Events

    private mutating func take(_ event: yaml_event_t) throws(Fault) {
        switch event.type {
        case YAML_DOCUMENT_START_EVENT:
            documents += 1
            if documents > 1 { throw Self.fault(event, "a fault: another document in the same file") }
        case YAML_SCALAR_EVENT:
            let data = event.data.scalar
            if let last = levels.last, last.isMapping, last.pending == nil {
                let name = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
                levels[levels.count - 1].pending = (name, Int(event.start_mark.line) + 1, Int(event.start_mark.index))
                try add(1, event)
                note(data.anchor, count: 1, height: 0)
            } else {
                try add(1, event)
                note(data.anchor, count: 1, height: 0)
                endValue(event, height: 0)
            }
        case YAML_ALIAS_EVENT:
            try requireKeyIsText(event)
            let name = Self.text(event.data.alias.anchor) ?? ""
            guard let known = anchors[name] else {
                throw Self.fault(
                    event, "a fault: an alias '\(name)' of nothing (a value that begins with * needs quotes)")
            }
            guard levels.count + known.height <= Self.deepest else { throw Self.tooDeep(event) }
            try add(known.count, event)
            endValue(event, height: known.height)
        case YAML_SEQUENCE_START_EVENT:
            let data = event.data.sequence_start
            try begin(event, isMapping: false, isInFlow: data.style == YAML_FLOW_SEQUENCE_STYLE, Self.text(data.anchor))
        case YAML_MAPPING_START_EVENT:
            let data = event.data.mapping_start
            try begin(event, isMapping: true, isInFlow: data.style == YAML_FLOW_MAPPING_STYLE, Self.text(data.anchor))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            guard let level = levels.popLast() else { return }
            if let anchor = level.anchor { anchors[anchor] = (count - level.start, level.height + 1) }
            endValue(event, height: level.height + 1)
        default: break
        }
    }

    private mutating func begin(
        _ event: yaml_event_t, isMapping: Bool, isInFlow: Bool, _ anchor: String?
    ) throws(Fault) {
        try requireKeyIsText(event)
        guard levels.count < Self.deepest else { throw Self.tooDeep(event) }
        let start = count
        try add(1, event)
        let key = levels.last.map { [$0.key, $0.pending?.name ?? ""].filter { !$0.isEmpty }.joined(separator: ".") }
        levels.append(Level(isMapping: isMapping, isInFlow: isInFlow, key: key ?? "", anchor: anchor, start: start))
    }

    private func requireKeyIsText(_ event: yaml_event_t) throws(Fault) {
        guard let last = levels.last, last.isMapping, last.pending == nil else { return }
        throw Self.fault(event, "a fault: a list, a mapping or an alias in the place of a key")
    }

    private mutating func add(_ more: Int, _ event: yaml_event_t) throws(Fault) {
        count += more
        guard count <= Self.mostValues else {
            throw Fault(
                line: Int(event.start_mark.line) + 1,
                message: "expected at most \(Self.mostValues) values, found more (what aliases stand for counts too)")
        }
    }

    private mutating func note(_ anchor: UnsafePointer<UInt8>?, count: Int, height: Int) {
        if let anchor = Self.text(anchor) { anchors[anchor] = (count, height) }
    }

    /// Ends a value: that of the key that awaits one, in a mapping.
    private mutating func endValue(_ event: yaml_event_t, height: Int) {
        guard var level = levels.popLast() else { return }
        level.height = max(level.height, height)
        if let pending = level.pending {
            let range = pending.start..<max(pending.start, Int(event.end_mark.index))
            let earlier = level.seen.updateValue((pending.line, range), forKey: pending.name)
            if let earlier {
                level.seen[pending.name]?.firstLine = earlier.firstLine
                duplicates.append(
                    Duplicate(
                        key: level.key.isEmpty ? pending.name : "\(level.key).\(pending.name)", line: pending.line,
                        firstLine: earlier.firstLine, earlier: earlier.last, isInFlow: level.isInFlow))
            }
            level.pending = nil
        }
        levels.append(level)
    }

    // MARK: Faults

    private static func tooDeep(_ event: yaml_event_t) -> Fault {
        Fault(
            line: Int(event.start_mark.line) + 1,
            message: "expected at most \(deepest) levels of lists and mappings, found more")
    }

    private static func fault(_ event: yaml_event_t, _ found: String) -> Fault {
        Fault(
            line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1,
            message: "expected YAML, found \(found)")
    }

    private static func fault(_ parser: yaml_parser_t, _ bytes: UnsafeBufferPointer<UInt8>) -> Fault {
        let problem = parser.problem.map { String(cString: $0) } ?? "a text that cannot be read"
        guard parser.error != YAML_READER_ERROR else {
            let newline = UInt8(ascii: "\n")
            let line = bytes.prefix(Int(parser.problem_offset)).count { $0 == newline } + 1
            return Fault(line: line, message: "expected YAML, found a fault: \(problem)")
        }
        var message = "expected YAML, found a fault: "
        if let context = parser.context { message += String(cString: context) + ", " }
        message += problem
        if message.contains("alias") { message += " (a value that begins with * needs quotes)" }
        if message.contains("cannot start any token") { message += " (indent with spaces, not tabs; quote % @ `)" }
        let mark = parser.problem_mark
        return Fault(line: Int(mark.line) + 1, column: Int(mark.column) + 1, message: message)
    }

    private static func text(_ pointer: UnsafePointer<UInt8>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
