import Adapters
import Foundation
import Optimizers
import TensorCore
import TensorIO

/// How a checkpoint lies in a file: attributes at the root for numbers and texts, groups for tensors.
///
/// | place | holds |
/// |---|---|
/// | `/` | `format`, `version`, `step`, `epoch`, `position`, `samples`, `seconds`, `base_parameters`, the fingerprints `transformer`, `autoencoder`, `text_encoders`, `pairs`, `pair_set`; texts `configuration`, `routing`, `metrics` |
/// | `/adapter/{parameter}` | the trained parameters |
/// | `/optimizer`, `/average` | scalars as attributes, `{kind}/{parameter}` as datasets |
/// | `/random` | the generator's words |
///
/// Every dataset of numbers has an attribute `checksum`, the root one of all the rest. Version 1 had neither checksums nor
/// fingerprints nor `metrics`; it is still read.
extension RunCheckpoint {
    /// What the attribute `format` says.
    public static let format = "diptych-checkpoint"
    private static let version = 2
    /// Counts beyond this are no count of any run.
    private static let most = 1 << 48

    /// Writes the checkpoint; an older file at `path` stays until the new one is whole and on the disk.
    public func write(to path: String) throws {
        try HDF5File.write(to: path) { root in
            try root.setAttribute("format", Self.format)
            try root.setAttribute("version", Self.version)
            try root.setAttribute("step", step)
            try root.setAttribute("epoch", epoch)
            try root.setAttribute("position", position)
            try root.setAttribute("samples", sampleCount)
            try root.setAttribute("seconds", seconds)
            try root.setAttribute("base_parameters", baseParameterCount)
            try root.write([configuration], to: "configuration")
            try root.write([JSONValue(encoding: routing, Self.routingCoding).text()], to: "routing")
            try root.write(metrics.map(\.json), to: "metrics")
            if let fingerprints {
                for (name, value) in RunFingerprints.keys { try root.setAttribute(name, fingerprints[keyPath: value]) }
            }
            try root.writeChecked(Tensor(random.map { Int64($0) }, [random.count]), to: "random")
            let adapter = try root.createGroup("adapter")
            for name in parameters.names { try adapter.writeChecked(parameters.tensor(name), to: name) }
            try Self.write(optimizer, to: root.createGroup("optimizer"))
            if let average { try Self.write(average, to: root.createGroup("average")) }
            try root.seal()
        }
    }

    /// Opens a checkpoint, of this version or an earlier one, and compares the checksum of all but its tensors.
    private static func open(_ path: String) throws -> (root: HDF5Group, version: Int) {
        let root = try HDF5File(reading: path).root
        let found =
            try root.hasAttribute("format") ? try root.attribute("format", as: String.self) : "no such attribute"
        guard found == Self.format else {
            throw FileError(path, key: "format", expected: Self.format, found: found)
        }
        let version: Int = try root.attribute("version")
        guard (1...Self.version).contains(version) else {
            throw FileError(path, key: "version", expected: "1 to \(Self.version)", found: "\(version)")
        }
        if version > 1 { try root.requireSeal() }
        return (root, version)
    }

    /// The configuration of the run that a checkpoint is of, without its tensors. Throws ``FileError`` when the file is
    /// damaged or no checkpoint.
    public static func configuration(path: String) throws -> String {
        try namingEarlier(path) { try text("configuration", in: open(path).root) }
    }

    /// Adds to an error about the file at `path` where the run's checkpoint before it lies.
    private static func namingEarlier<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var error as FileError {
            if let earlier = RunFolder.checkpoint(before: path) {
                error.found += "; the run's checkpoint before it is \(earlier)"
            }
            throw error
        }
    }

    /// Reads a checkpoint. Throws ``FileError`` when the file is damaged or no checkpoint; where the run has an earlier one,
    /// the error names it.
    public init(path: String) throws {
        self = try Self.namingEarlier(path) { try Self(reading: path) }
    }

    private init(reading path: String) throws {
        let (root, version) = try Self.open(path)
        let isChecked = version > 1
        step = try root.attribute("step")
        epoch = try root.attribute("epoch")
        position = try root.attribute("position")
        sampleCount = try root.attribute("samples")
        seconds = try root.attribute("seconds")
        baseParameterCount = try root.attribute("base_parameters")
        configuration = try Self.text("configuration", in: root)
        let routing = try Self.text("routing", in: root)
        do {
            self.routing = try JSONValue.decoding([RoutingStatistics].self, from: routing.utf8, Self.routingCoding)
        } catch {
            throw FileError(path, key: "routing", expected: "routing statistics in JSON", found: "other text")
        }
        fingerprints = isChecked ? try RunFingerprints(reading: root) : nil
        metrics = isChecked ? try Self.metrics(in: root) : []
        let words = try Self.tensor("random", in: root, isChecked)
        guard words.dtype == .int64, words.shape == [Random.stateCount] else {
            throw FileError(
                path, key: "random", expected: "int64 [\(Random.stateCount)]", found: "\(words.dtype) \(words.shape)")
        }
        random = words.elements(as: Int64.self).compactMap { UInt32(exactly: $0) }
        guard Random(state: random) != nil else {
            throw FileError(path, key: "random", expected: "a generator's state", found: "other words")
        }
        parameters = MemoryArchive(path: path, try Self.tensors(in: root.group("adapter"), isChecked))
        optimizer = try Self.state(in: root.group("optimizer"), isChecked)
        average = try root.exists("average") ? try Self.state(in: root.group("average"), isChecked) : nil
        try requireProportions(path)
    }

    /// Throws ``FileError`` for numbers that no run has. How many samples a pass has, more or less than pairs, the
    /// configuration and the data decide.
    private func requireProportions(_ path: String) throws(FileError) {
        for (key, value, least) in [
            ("step", step, 0), ("epoch", epoch, 0), ("position", position, 0), ("samples", sampleCount, 1),
            ("base_parameters", baseParameterCount, 0),
        ] where !(least...Self.most).contains(value) {
            throw FileError(path, key: key, expected: "a number from \(least) to \(Self.most)", found: "\(value)")
        }
        guard seconds.isFinite, (0...Double(Self.most)).contains(seconds) else {
            throw FileError(path, key: "seconds", expected: "a number from 0 on", found: "\(seconds)")
        }
        if let taken = optimizer.scalars["step"], taken > Double(step) {
            throw FileError(
                path, key: "optimizer@step", expected: "at most the \(step) steps of the run", found: "\(taken)")
        }
    }

    private static func metrics(in root: HDF5Group) throws -> [StepMetrics] {
        try root.strings("metrics").map { line in
            do {
                return try JSONValue.decoding(StepMetrics.self, from: line.utf8)
            } catch {
                throw FileError(root.path, key: "metrics", expected: "lines of a metric log", found: "other text")
            }
        }
    }

    // A run that does not stop at NaN has it in its routing as well.
    private static let routingCoding = JSONCoding(writesNonFiniteAsText: true)

    private static func write(_ state: OptimizerState, to group: HDF5Group) throws {
        for (name, value) in state.scalars { try group.setAttribute(name, value) }
        for (name, tensor) in state.tensors {
            let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
            let kind = try group.exists(parts[0]) ? try group.group(parts[0]) : try group.createGroup(parts[0])
            try kind.writeChecked(tensor, to: parts[1])
        }
    }

    private static func state(in group: HDF5Group, _ isChecked: Bool) throws -> OptimizerState {
        var scalars: [String: Double] = [:]
        for name in try group.attributeNames { scalars[name] = try group.attribute(name, as: Double.self) }
        var all: [(name: String, tensor: Tensor)] = []
        for kind in try group.members {
            all += try tensors(in: group.group(kind), isChecked).map { ("\(kind)/\($0.name)", $0.tensor) }
        }
        return OptimizerState(scalars: scalars, tensors: all)
    }

    private static func tensors(
        in group: HDF5Group, _ isChecked: Bool
    ) throws -> [(name: String, tensor: Tensor)] {
        try group.members.map { ($0, try tensor($0, in: group, isChecked)) }
    }

    private static func tensor(_ name: String, in group: HDF5Group, _ isChecked: Bool) throws -> Tensor {
        try isChecked ? group.checkedTensor(name) : group.tensor(name)
    }

    private static func text(_ name: String, in root: HDF5Group) throws -> String {
        guard let text = try root.strings(name).first else {
            throw FileError(root.path, key: name, expected: "a text", found: "none")
        }
        return text
    }
}
