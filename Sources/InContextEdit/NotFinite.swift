public import Adapters
import Models
public import TensorCore
public import TensorIO

extension PipelineParts {
    /// Where a model was read from.
    func place(of part: PipelineFolder.Part) -> String { named(part) ?? "\(folder)/\(part)" }

    /// The error of a model whose results, `what`, are not finite.
    func notFinite(
        _ part: PipelineFolder.Part, _ what: String, _ precision: DType, when: String = ""
    ) -> FileError {
        FileError(
            place(of: part), expected: "finite numbers for the \(what)",
            found: "NaN or infinity from \(part.title) in \(precision)\(when)")
    }
}

/// Finds what made a velocity that is not finite: the transformer, or which of the adapters in it.
public struct VelocityFault {
    private let pipeline: FillPipeline
    private let adapters: [AdapterSet]
    private let precision: DType

    /// Looks in `pipeline`, whose transformer computes in `precision` with `adapters`.
    public init(_ pipeline: FillPipeline, adapters: [AdapterSet], precision: DType) {
        self.pipeline = pipeline
        self.adapters = adapters
        self.precision = precision
    }

    /// The error for a velocity that `evaluate` gave; `when` says in a few words where it came.
    ///
    /// `evaluate` runs again without adapters and with each alone. Where the transformer alone fails too, `fresh` (the same
    /// with an input that no adapter has touched) tells whether its input had been spoilt before.
    public func error(when: String, fresh: (() -> Tensor)? = nil, _ evaluate: () -> Tensor) -> FileError {
        let strengths = adapters.map(\.strength)
        defer { restore(strengths) }
        for set in adapters { set.strength = 0 }
        let active = adapters.indices.filter { strengths[$0] != 0 }
        if active.isEmpty || !evaluate().isFinite {
            let isSpoilt = !active.isEmpty && fresh.map { $0().isFinite } ?? false
            return isSpoilt
                ? blame(active, when) : pipeline.parts.notFinite(.transformer, "velocity", precision, when: when)
        }
        for place in active {
            adapters[place].strength = strengths[place]
            let isFinite = evaluate().isFinite
            adapters[place].strength = 0
            if !isFinite { return blame([place], when) }
        }
        return blame(active, when)
    }

    private func blame(_ places: [Int], _ when: String) -> FileError {
        let names = places.map { adapters[$0].path ?? "adapter \($0 + 1)" }
        return FileError(
            names.joined(separator: " and "), expected: "finite numbers for the velocity",
            found:
                "NaN or infinity from the transformer with \(names.count == 1 ? "this adapter" : "these adapters") in "
                + "\(precision)\(when), finite ones without")
    }

    private func restore(_ strengths: [Float]) {
        for (set, strength) in zip(adapters, strengths) { set.strength = strength }
    }
}
