import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// HDF5 by its bytes, and checkpoints and caches by their contents.
extension FuzzTarget {
    static var storageFiles: [FuzzTarget] { [hdf5, checkpoint, cache, cacheManifest] }

    private static var hdf5: FuzzTarget {
        FuzzTarget(
            "hdf5", dictionary: ["OHDR", "TREE", "SNOD", "HEAP", "GCOL", "OCHK", "FRHP", "BTHD"],
            seeds: { folder in
                let path = folder.path + "/seed.h5"
                try HDF5File.write(to: path) { root in
                    try root.setAttribute("step", 3)
                    try root.setAttribute("names", ["a", "b"])
                    try root.write(Tensor([1, 2, 3] as [Float], [3]), to: "adapter/x")
                    try root.write(Tensor((0..<512).map(Float.init), [16, 32]), to: "deflated", .compressed)
                    try root.write(["one", "two"], to: "texts")
                }
                return [
                    try FuzzFolder.bytes(path), try FuzzFolder.fixture("hdf5/hostile.h5"),
                    try FuzzFolder.fixture("hdf5/h5py.h5"),
                ]
            }
        ) { bytes, folder in
            let path = try folder.write(bytes, "fuzz.h5")
            let root = try HDF5File(reading: path).root
            try walk(root, depth: 0)
            let archive = try HDF5Archive(path: path)
            for name in archive.names.prefix(16) { _ = try? archive.tensor(name) }
        }
    }

    private static func walk(_ group: HDF5Group, depth: Int) throws {
        for name in try group.attributeNames.prefix(16) { _ = try? group.attribute(name) }
        for name in try group.members.prefix(16) {
            switch try? group.kind(of: name) {
            case .group where depth < 3: try walk(group.group(name), depth: depth + 1)
            case .tensor:
                _ = try? group.tensor(name)
                _ = try? group.numbers(name, as: Float.self)
            case .strings: _ = try? group.strings(name)
            default: break
            }
        }
    }

    /// Honest choices, then one lie at each of the first places.
    private static var forgeries: [[UInt8]] {
        let honest = [UInt8](repeating: 0, count: 48)
        return [honest]
            + honest.indices.flatMap { place in
                [UInt8]([201, 206, 210, 255]).map { lie in
                    var choices = honest
                    choices[place] = lie
                    return choices
                }
            }
    }

    private static var checkpoint: FuzzTarget {
        FuzzTarget(
            "checkpoint",
            seeds: { folder in
                let configuration = RunConfiguration(basePath: "b", dataPath: "p", outputFolder: "o")
                let moments = Tensor([1, 2] as [Float], [2])
                try HDF5File.write(to: folder.path + "/honest.h5") { root in
                    try root.setAttribute("format", RunCheckpoint.format)
                    try root.setAttribute("version", 1)
                    for (name, value) in ["step": 4, "epoch": 1, "position": 2, "samples": 9, "base_parameters": 100] {
                        try root.setAttribute(name, value)
                    }
                    try root.setAttribute("seconds", 1.5)
                    try root.write([configuration.yaml], to: "configuration")
                    try root.write(["[]"], to: "routing")
                    let words = Random(seed: 1).state.map { Int64($0) }
                    try root.write(Tensor(words, [words.count]), to: "random")
                    try root.write(moments, to: "adapter/a.lora_A")
                    let optimizer = try root.createGroup("optimizer")
                    try optimizer.setAttribute("step", 4.0)
                    try optimizer.write(moments, to: "first/a.lora_A")
                    try root.write(moments, to: "average/average/a.lora_A")
                }
                return forgeries
            }
        ) { bytes, folder in
            let path = folder.path + "/fuzz.h5"
            try HDF5Forgery.write(folder.path + "/honest.h5", to: path, bytes)
            let checkpoint = try RunCheckpoint(path: path)
            _ = checkpoint.averagedParameters
            _ = Random(state: checkpoint.random)
            var order = EpochOrder(
                count: min(max(checkpoint.sampleCount, 1), 64), seed: 1, epoch: checkpoint.epoch,
                position: checkpoint.position)
            for _ in 0..<70 { _ = order.next() }
            _ = try RunConfiguration.parse(checkpoint.configuration)
        }
    }

    // MARK: Caches

    private static let parts = PipelineParts(folder: FuzzFolder.fixtures + "/tiny-random-fill")
    private static let options = SampleEncoder.Options(
        panelWidth: 16, panelHeight: 16, maximumSequenceLength: 8, promptForm: .direct)

    /// A cache of three pairs in the folder `honest`, and a copy of it in `cache`.
    private static func makeCache(_ folder: FuzzFolder) throws {
        let pairs = try folder.make("pairs")
        let records = try (0..<3).map { number in
            for side in ["s", "t"] {
                let image = Image(width: 16, height: 16, color: [UInt8(40 * number), side == "s" ? 9 : 200, 0])
                try image.write(to: "\(pairs)/\(side)\(number).png")
            }
            return PairRecord(
                source: "s\(number).png", target: "t\(number).png", fields: PromptFields(instruction: "edit \(number)"))
        }
        try PairDataset.write(records, to: URL(filePath: pairs))
        for name in ["honest", "cache"] {
            _ = try SampleCacheWriter(
                PairDataset(path: pairs), parts, EncoderOptions(), options: options, precision: .bfloat16
            ).write(to: folder.make(name))
        }
    }

    private static func useCache(_ folder: FuzzFolder) throws {
        let path = folder.path + "/cache"
        let check = try SampleCacheCheck(folder: path)
        _ = check.faults.map(\.description)
        let dataset = try PairDataset(path: folder.path + "/pairs")
        let key = try SampleCacheKey(dataset, parts, EncoderOptions(), options, precision: .bfloat16)
        let cache = try SampleCache(folder: path, dataset, options: options, key: key)
        for index in dataset.records.indices {
            _ = try? cache.read(SampleDraw(index: index, prompt: dataset.records[index].fields.instruction))
        }
        _ = try? cache.text("")
        _ = try cache.tokenCount(of: "edit 1")
    }

    private static var cache: FuzzTarget {
        FuzzTarget(
            "cache",
            seeds: { folder in
                try makeCache(folder)
                return forgeries.map { [0] + $0 } + forgeries.map { [1] + $0 }
            }
        ) { bytes, folder in
            let names = ["pairs-16x16-00000.h5", "texts-00000.h5"]
            let lied = Int(bytes.first ?? 0) % 2
            let path = "\(folder.path)/cache/\(names[lied])"
            try HDF5Forgery.write("\(folder.path)/honest/\(names[lied])", to: path, Array(bytes.dropFirst()))
            try folder.write(FuzzFolder.bytes("\(folder.path)/honest/\(names[1 - lied])"), "cache/\(names[1 - lied])")
            try useCache(folder)
        }
    }

    private static var cacheManifest: FuzzTarget {
        FuzzTarget(
            "cache-manifest", dictionary: ["left_out", "finished", "pairs", "texts", "version", "format", "key"],
            seeds: { folder in
                try makeCache(folder)
                return [try FuzzFolder.bytes(folder.path + "/honest/manifest.json")]
            }
        ) { bytes, folder in
            try folder.write(bytes, "cache/manifest.json")
            try useCache(folder)
        }
    }
}
