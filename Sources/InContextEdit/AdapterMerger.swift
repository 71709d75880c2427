public import Adapters
import Foundation
public import Models
import NeuralNet
public import TensorCore
public import TensorIO

/// Adds static adapters to the weights of a base and writes it anew, in the layout that it has, as one safetensors file.
///
/// ```swift
/// let merger = try AdapterMerger("flux1-fill-dev.safetensors") { naming in
///     [(try AdapterFile(SafetensorsFile(path: "style.safetensors"), naming: naming), 0.8)]
/// }
/// let report = try merger.write(to: "merged.safetensors") { done, total in }
/// ```
///
/// Each weight `W` becomes `W + sum_i s_i U_i(W)` with the update `U` of each adapter's method
/// (``AdapterMethod/update(_:rows:of:)``; `alpha / r B A` for a LoRA) and its strength `s`, summed in `float32` and rounded once to the type that it
/// had; quantised weights become `bfloat16`. Rows go through memory in pieces, so that a base of any size needs little of
/// it.
public struct AdapterMerger {
    /// What became of the weights.
    public struct Report: Sendable {
        /// How many of the file's weights were changed.
        public var changed = 0
        /// The norm of what was added over that of the weights that it was added to.
        public var relativeChange = 0.0
        /// The norm of what rounding to the file's type lost over that of what was added.
        public var relativeRounding = 0.0
        /// What the type of the file could not hold.
        public var narrowing = Narrowing()
    }

    /// The base's transformer.
    public let model: ModelFile
    /// What the file will hold.
    public let plans: [SafetensorsPlan]
    private let source: any TensorArchive
    private let metadata: [String: String]
    private let updates: [String: [(mapping: AdapterNaming.LayerMapping, file: AdapterFile, strength: Float)]]

    /// Where ComfyUI's quantised files say which layers are quantised, and how.
    private static let quantizationKey = "_quantization_metadata"
    /// As many numbers of a weight as are in memory at a time.
    private static let pieceSize = 1 << 22

    /// Opens a base (a transformer's file in any layout, its folder or a pipeline's folder) and the adapters, which `open`
    /// reads with the names of the base's layers.
    ///
    /// Throws `FileError` when the base holds no transformer or an adapter cannot be merged, `WeightError` when
    /// its tensors do not fit each other, and what `open` throws.
    public init(
        _ base: String, adapters open: (AdapterNaming) throws -> [(file: AdapterFile, strength: Float)]
    ) throws {
        var place = base
        if FileManager.default.fileExists(atPath: base + "/model_index.json") {
            place = try PipelineFolder(path: base).folder(of: .transformer)
        }
        model = try ModelFile.open(place, .transformer)
        let file = try model.configuration()
        try model.check(file)
        let naming = AdapterNaming.flux(try FluxConfiguration(file))
        let adapters = try open(naming)
        for (adapter, _) in adapters {
            if let fault = adapter.unmergeable {
                throw FileError(adapter.path, key: fault.layer, expected: fault.expected, found: fault.found)
            }
        }
        // Every weight of the file under its own name, with the layers that it consists of.
        let keyMappings =
            model.keyNaming == .blackForest
            ? naming.keyMappings
            : naming.layers.map { AdapterNaming.LayerMapping(source: $0.name, parts: [$0], swapsHalves: false) }
        var updates: [String: [(mapping: AdapterNaming.LayerMapping, file: AdapterFile, strength: Float)]] = [:]
        for mapping in keyMappings {
            let adapting = adapters.filter { $0.file.adapts(mapping) && $0.strength != 0 }
            if adapting.isEmpty { continue }
            updates["\(model.prefix)\(mapping.source).weight"] = adapting.map {
                (mapping, $0.file, $0.strength)
            }
        }
        self.updates = updates
        let source = try openTensorArchive(place)
        self.source = source
        plans = try source.names.map { name in
            guard let info = source.info(name) else {
                _ = try source.stored(name)  // says which type it has
                throw FileError(place, key: name, expected: "a type that can be copied", found: "another")
            }
            return SafetensorsPlan(
                name: name, type: info.quantization == nil ? info.dtype : .bfloat16, shape: info.shape)
        }
        var metadata = (try? SafetensorsFile(path: source.path))?.metadata ?? ["format": "pt"]
        // It describes weights that are bfloat16 from now on.
        metadata[Self.quantizationKey] = nil
        if model.prefix.isEmpty { metadata[ModelFile.configurationKey] = try file.text() }
        self.metadata = metadata
    }

    /// Writes the file, which replaces `path` when it is whole; `progress` hears of each tensor. `metadata` is added to the
    /// base's own.
    ///
    /// Throws `FileError` when a weight is no longer finite or too large for its type, or when the file cannot be written.
    public func write(
        to path: String, metadata: [String: String] = [:], progress: (WorkProgress) throws -> Void = { _ in }
    ) throws -> Report {
        var report = Report()
        var (weights, added, lost) = (0.0, 0.0, 0.0)
        var state = WorkProgress("tensors", total: plans.count)
        let header = self.metadata.merging(metadata) { _, new in new }
        try SafetensorsFile.write(plans: plans, metadata: header, to: path) { plan, write in
            let stored = try source.stored(plan.name)
            let adapting = updates[plan.name]
            if adapting != nil { report.changed += 1 }
            // A vector is one row: its blocks, if it is quantised, need not end where pieces do.
            let rows = plan.shape.rank > 1 ? plan.shape[0] : 1
            let step = max(1, Self.pieceSize / max(1, plan.shape.count / max(1, rows)))
            for start in stride(from: 0, to: rows, by: step) {
                let range = start..<min(rows, start + step)
                let piece = plan.shape.rank > 1 ? stored.rows(range) : stored
                guard let adapting else {
                    // What is not adapted is copied; only quantised weights get another type.
                    switch piece {
                    case .plain(let tensor): try write(tensor)
                    case .quantized(let blocks):
                        let numbers = blocks.dequantized(to: .float32)
                        try write(
                            report.narrowing.convert(numbers, to: plan.type, path: source.path, key: plan.name))
                    }
                    continue
                }
                let old = piece.expanded(to: .float32).converted(to: .float32).reshaped(to: [range.count, -1])
                    .contiguous()
                guard old.isFinite else {
                    throw FileError(
                        source.path, key: plan.name, expected: "finite numbers", found: "NaN or infinity")
                }
                let new = Self.updated(old, rows: range, by: adapting)
                // The base's own numbers are in range: it is the adapters that are not.
                let rounded = try report.narrowing.convert(
                    new, to: plan.type, path: adapterPaths(plan), key: plan.name)
                let (change, loss) = (new.squares(besides: old), rounded.converted(to: .float32).squares(besides: new))
                (weights, added, lost) = (weights + change.numbers, added + change.error, lost + loss.error)
                try write(rounded)
            }
            state.done += 1
            try progress(state)
        }
        report.relativeChange = weights > 0 ? (added / weights).squareRoot() : 0
        report.relativeRounding = added > 0 ? (lost / added).squareRoot() : 0
        return report
    }

    /// Some rows of a weight, `[rows, in]`, with what the adapters add to them.
    private static func updated(
        _ old: Tensor, rows: Range<Int>,
        by adapting: [(mapping: AdapterNaming.LayerMapping, file: AdapterFile, strength: Float)]
    ) -> Tensor {
        var updates: [(rows: Range<Int>, update: WeightUpdate, strength: Float)] = []
        for (mapping, file, strength) in adapting {
            updates += file.updates(of: mapping, rows: rows, weight: old).map { ($0.rows, $0.update, strength) }
        }
        // Rows whose adapters differ are summed one after the other.
        let bounds = Set(updates.flatMap { [$0.rows.lowerBound, $0.rows.upperBound] } + [0, rows.count]).sorted()
        let pieces = zip(bounds, bounds.dropFirst()).map { low, high -> Tensor in
            var sum = old.sliced(axis: 0, low..<high).contiguous()
            var products: [ProductTerm] = []
            for (place, update, strength) in updates where place.lowerBound <= low && high <= place.upperBound {
                let own = low - place.lowerBound..<high - place.lowerBound
                if let addend = update.addend { sum = sum + addend.sliced(axis: 0, own).contiguous() * strength }
                products += update.products.map { ProductTerm($0.up.sliced(axis: 0, own) * strength, $0.down) }
            }
            return products.isEmpty ? sum : Tensor.sumOfProducts(products, addend: sum, dtype: .float32)
        }
        return (pieces.count == 1 ? pieces[0] : Tensor.concatenated(pieces, axis: 0)).contiguous()
    }

    /// The files that adapt a tensor.
    private func adapterPaths(_ plan: SafetensorsPlan) -> String {
        (updates[plan.name] ?? []).map(\.file.path).joined(separator: " and ")
    }
}
