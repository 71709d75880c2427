import Adapters
import Foundation
import Optimizers
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// What a damaged or made-up checkpoint does.
@Suite struct CheckpointIntegrityTests {
    private let fixture: TrainingFixture
    private let state: RunCheckpoint
    private var folder: URL { fixture.folder }
    private var path: String { folder.appending(path: "step.h5").path }

    init() throws {
        fixture = try TrainingFixture(pairs: 2)
        let configuration = fixture.configuration(steps: 1)
        try fixture.train(configuration)
        state = try RunCheckpoint(path: RunFolder(configuration.output.folder).checkpointPath(step: 1))
    }

    private func remove() { fixture.remove() }

    /// A checkpoint of everything that one can hold, in few bytes.
    private func small() -> RunCheckpoint {
        var random = Random(seed: 3)
        func tensor(_ count: Int) -> Tensor { random.randn([count]) }
        let names = ["a.lora_A.weight", "a.lora_B.weight"]
        var state = state
        (state.step, state.epoch, state.position, state.seconds) = (12, 2, 1, 7.5)
        state.configuration = "training:\n  steps: 20\n"
        state.parameters = MemoryArchive(path: "here", names.map { ($0, tensor(24)) })
        state.optimizer = OptimizerState(
            scalars: ["step": 12],
            tensors: names.flatMap { [("first/\($0)", tensor(24)), ("second/\($0)", tensor(24))] })
        state.average = OptimizerState(scalars: ["step": 12], tensors: names.map { ("average/\($0)", tensor(24)) })
        state.metrics = [
            StepMetrics(step: 11, loss: 0.5, mse: 0.25, learningRate: 1, seconds: 1, samplesPerSecond: 2)
        ]
        state.routing = []
        return state
    }

    /// All that a reader gets, in one value.
    private func contents(_ path: String) throws -> [String] {
        let read = try RunCheckpoint(path: path)
        func words(_ state: OptimizerState?) -> [String] {
            guard let state else { return ["none"] }
            return state.scalars.sorted { $0.key < $1.key }.map { "\($0)" }
                + state.tensors.map { "\($0.name) \($0.tensor.shape) \($0.tensor.floats.map(\.bitPattern))" }
        }
        return [
            "\(read.step) \(read.epoch) \(read.position) \(read.sampleCount) \(read.seconds) \(read.baseParameterCount)",
            read.configuration, "\(read.random)", "\(read.routing)", "\(read.metrics)", "\(read.fingerprints as Any)",
        ] + words(read.optimizer) + words(read.average)
            + (try read.parameters.names.map { try "\($0) \(read.parameters.tensor($0).floats.map(\.bitPattern))" })
    }

    /// A bit of every seventh byte, each bit in its turn: it is noticed, or what is read is what was written. In a process of
    /// its own, since libhdf5 might not survive.
    @Test func flippedBitsAreNoticedOrHarmless() async {
        await #expect(processExitsWith: .success) {
            let test = try CheckpointIntegrityTests()
            defer { test.remove() }
            try test.small().write(to: test.path)
            let expected = try test.contents(test.path)
            let whole = [UInt8](try Data(contentsOf: URL(filePath: test.path)))
            let other = test.folder.appending(path: "other.h5").path
            var noticed = 0
            let places = Array(stride(from: 0, to: whole.count, by: 7))
            for (turn, place) in places.enumerated() {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(turn % 8)
                try Data(bytes).write(to: URL(filePath: other))
                do {
                    let found = try test.contents(other)
                    try #require(found == expected, "byte \(place) of \(whole.count)")
                } catch is FileError {
                    noticed += 1
                }
            }
            print("\(noticed) of \(places.count) flipped bits noticed, the others change nothing")
            try #require(noticed > places.count / 2)
        }
    }

    @Test func theNumbersOfEveryTensorAreChecked() throws {
        defer { remove() }
        try small().write(to: path)
        let whole = try Data(contentsOf: URL(filePath: path))
        let read = try RunCheckpoint(path: path)
        let tensors =
            try read.parameters.names.map { try read.parameters.tensor($0) } + read.optimizer.tensors.map(\.tensor)
            + (read.average?.tensors.map(\.tensor) ?? [])
        #expect(tensors.count == 8)
        for tensor in tensors {
            let bytes = Data(bytes: tensor.storage.base, count: 4 * tensor.count)
            var spoiled = whole
            let start = try #require(spoiled.firstRange(of: bytes)?.lowerBound)
            spoiled[start + 17] ^= 1
            try spoiled.write(to: URL(filePath: path))
            let error = #expect(throws: FileError.self) { try RunCheckpoint(path: path) }
            #expect(error?.found == "others, by their checksum" && error?.key?.hasPrefix("/") == true, "\(error!)")
        }
    }

    @Test func numbersOutOfProportionAreRefused() throws {
        defer { remove() }
        func key(_ change: (inout RunCheckpoint) -> Void) throws -> String? {
            var state = small()
            change(&state)
            try state.write(to: path)
            return #expect(throws: FileError.self) { try RunCheckpoint(path: path) }?.key
        }
        #expect(try key { $0.step = 1_000_000_000_000_000_000 } == "step")
        #expect(try key { $0.step = -1 } == "step")
        #expect(try key { $0.epoch = .max } == "epoch")
        #expect(try key { $0.position = .max } == "position")
        #expect(try key { $0.sampleCount = 0 } == "samples")
        #expect(try key { $0.baseParameterCount = -5 } == "base_parameters")
        #expect(try key { $0.seconds = .nan } == "seconds")
        #expect(try key { $0.seconds = -1 } == "seconds")
        #expect(try key { $0.optimizer.scalars["step"] = 13 } == "optimizer@step")
        #expect(try key { $0.random = [UInt32](repeating: 0, count: Random.stateCount) } == "random")
        #expect(try key { $0.random[Random.stateCount - 4] = 625 } == "random")
        #expect(try key { $0.random.removeLast() } == "random")
        try small().write(to: path)
        _ = try RunCheckpoint(path: path)
    }

    /// As this program wrote it before there were checksums.
    @Test func versionOneIsStillRead() throws {
        defer { remove() }
        try small().write(to: path)
        let new = try HDF5File(reading: path).root
        let old = folder.appending(path: "old.h5").path
        try HDF5File.write(to: old) { root in
            func copy(_ from: HDF5Group, _ to: HDF5Group) throws {
                for name in try from.attributeNames
                where !["checksum", "transformer", "autoencoder", "text_encoders", "pairs", "pair_set"].contains(name) {
                    switch try from.attribute(name) as HDF5Attribute {
                    case .string(let text): try to.setAttribute(name, text)
                    case .integer(let number): try to.setAttribute(name, name == "version" ? 1 : number)
                    case .real(let number): try to.setAttribute(name, number)
                    default: Issue.record("\(name)")
                    }
                }
                for name in try from.members where name != "metrics" {
                    switch try from.kind(of: name) {
                    case .group: try copy(from.group(name), to.createGroup(name))
                    case .tensor: try to.write(from.tensor(name), to: name)
                    case .strings: try to.write(from.strings(name), to: name)
                    case .other(let kind): Issue.record("\(kind)")
                    }
                }
            }
            try copy(new, root)
        }
        let read = try RunCheckpoint(path: old)
        #expect(read.step == 12 && read.fingerprints == nil && read.metrics.isEmpty)
        #expect(
            try read.parameters.tensor("a.lora_A.weight").floats == small().parameters.tensor("a.lora_A.weight").floats)
        #expect(read.optimizer.tensors.count == 4 && read.average?.tensors.count == 2)
        // A later version is not guessed at.
        try HDF5File.write(to: old) { root in
            try root.setAttribute("format", RunCheckpoint.format)
            try root.setAttribute("version", 3)
        }
        #expect(throws: FileError.self) { try RunCheckpoint(path: old) }
    }
}
