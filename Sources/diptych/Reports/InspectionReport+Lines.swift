import Foundation
import TensorCore
import TensorIO
import Training

/// The report as a person reads it. What comes from the file is printable, and cut where it is long.
extension InspectionReport {
    /// The most lines of a list that a file decides how long it is.
    private static let mostLines = 100

    /// Every line; at most `limit` tensors are listed.
    func lines(limit: Int) -> [String] {
        var lines: [String]
        switch kind {
        case .image: return ["image, \(image?.width ?? 0) x \(image?.height ?? 0)"]
        case .dataset: return datasetLines
        case .pipeline: return pipelineLines
        case .checkpoint: lines = checkpointLines
        case .adapter: lines = ["adapter, safetensors, \(summary)"]
        case .safetensors: lines = ["safetensors, \(summary)"]
        case .gguf: lines = ["GGUF version \(version ?? 0), \(summary)"]
        case .tensors: lines = ["\(printable(file ?? path, limit: 1000)): \(summary)"]
        }
        lines += (adapter?.lines ?? []).map { "  " + $0 }
        for model in models ?? [] { lines += Self.lines(of: model) }
        if let missing { lines.append("  a pipeline also needs " + missing.joined(separator: ", ")) }
        let most = max(limit, Self.mostLines)
        for key in metadataKeys.prefix(most) {
            lines.append("  \(printable(key)) = \(printable(metadata?[key] ?? "", limit: 200))")
        }
        if metadataKeys.count > most {
            lines.append("  and \((metadataKeys.count - most).grouped) more keys (--json has all)")
        }
        return lines + listing(limit)
    }

    private var summary: String { tensors.map { Self.summary($0.total) } ?? "" }

    /// `98 tensors, 85,120 numbers (bfloat16 85,120)`.
    private static func summary(_ count: Count) -> String {
        let types = count.types.sorted { $0.key < $1.key }.map { "\(printable($0.key)) \($0.value.grouped)" }
        return "\(count.count.grouped) tensors, \(count.numbers.grouped) numbers (\(types.joined(separator: ", ")))"
    }

    private var datasetLines: [String] {
        guard let dataset else { return [] }
        var tasks = dataset.tasks
        let untasked = dataset.pairs - tasks.values.reduce(0, +)
        if untasked > 0 { tasks["no task", default: 0] += untasked }
        let lines = tasks.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.mostLines)
            .map { "  \(printable($0.key)): \($0.value.grouped)" }
        return ["dataset, \(dataset.pairs.grouped) pairs"] + lines
            + (tasks.count > lines.count
                ? ["  and \((tasks.count - lines.count).grouped) more tasks (--json has all)"] : [])
    }

    private var pipelineLines: [String] {
        var lines = ["pipeline folder, \(pipeline?.pipelineClass ?? "")"]
        for part in pipeline?.parts ?? [] {
            guard part.isThere else {
                lines.append("  \(part.name): missing")
                continue
            }
            let count = part.tensors.map { ", " + Self.summary($0) } ?? ""
            lines.append("  \(part.name): \(part.partClass ?? "unknown class")\(count)")
            if let proportions = part.proportions { lines.append("    " + proportions) }
        }
        return lines
    }

    private var checkpointLines: [String] {
        guard let checkpoint, let tensors else { return [] }
        var lines = [
            "checkpoint of a training run: \(printable(file ?? path, limit: 1000))",
            "  step \(checkpoint.step.grouped), epoch \(checkpoint.epoch), sample \(checkpoint.position) of "
                + "\(checkpoint.pairs.grouped), \(String(format: "%.1f", checkpoint.seconds)) s of training",
            "  adapter: \(tensors.total.numbers.grouped) parameters in \(tensors.total.count) tensors, beside a base of "
                + checkpoint.baseParameters.grouped,
            "  moving average: \(checkpoint.hasAverage ? "yes" : "no")",
        ]
        if !checkpoint.routing.isEmpty { lines.append(RoutingTable(checkpoint.routing).text) }
        lines.append("configuration")
        lines += TextFile.lines(of: checkpoint.configuration).prefix(1000).map {
            "  " + printable(String($0), limit: 1000)
        }
        return lines + ["tensors"]
    }

    private static func lines(of model: Model) -> [String] {
        let types = model.tensors.types.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value.grouped)" }
        var lines = [
            "  \(model.part): \(model.summary), \(model.tensors.numbers.grouped) parameters "
                + "(\(types.joined(separator: ", ")))"
        ]
        if let proportions = model.proportions { lines.append("    " + proportions) }
        if let fault = model.fault { lines.append("    does not fit: \(fault)") }
        return lines
    }

    private func listing(_ limit: Int) -> [String] {
        let list = tensors?.list ?? []
        let shown = list.prefix(limit).map { entry in
            let shape = entry.shape.map { "\($0)" } ?? ""
            return (
                name: printable(entry.name), text: entry.type.map { "\(printable($0)) \(shape)" } ?? "unsupported type"
            )
        }
        let width = shown.map(\.name.count).max() ?? 0
        let lines = shown.map { "  " + $0.name.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + $0.text }
        return list.count > limit ? lines + ["  and \((list.count - limit).grouped) more (--limit 0 lists all)"] : lines
    }
}
