import Adapters
import Foundation
import Training

/// The errors of all ways in a table: of the transformer's output, and of each mixture's.
struct FlatteningTable {
    let text: String

    init(_ comparison: FlatteningComparison, chosen: FlatteningMethod) {
        let (results, adapters) = (comparison.results, comparison.adapters)
        func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
            let space = String(repeating: " ", count: max(0, width - text.count))
            return left ? space + text : text + space
        }
        func percent(_ share: Double) -> String { pad(String(format: "%.2f %%", share * 100), 10, left: true) }
        var lines = [pad("error on other samples", 24) + "rank   of output  of effect  worst layer"]
        for result in results {
            let worst = result.layers.map(\.relativeError).max() ?? 0
            let mark = result.method == chosen ? "  written" : ""
            lines.append(
                "  " + pad(result.method.rawValue, 22) + pad("\(result.rank)", 4, left: true) + "  "
                    + percent(result.outputError) + percent(result.effectError) + "   " + percent(worst) + mark)
        }
        let width = max(8, adapters.mixtures.map(\.layer.count).max() ?? 0)
        lines.append("")
        lines.append(
            "error of each mixture's output; mean routing weights\n  " + pad("layer", width)
                + results.map { pad($0.method.rawValue, 14, left: true) }.joined())
        for mixture in adapters.mixtures {
            let cells = results.map { result in
                let error = result.layers.first { $0.layer == mixture.layer }?.relativeError ?? 0
                return pad(String(format: "%.2f %%", error * 100), 14, left: true)
            }
            let weights = comparison.statistics[mixture.layer]?.meanWeights ?? []
            lines.append(
                "  " + pad(mixture.layer, width) + cells.joined() + "  "
                    + weights.map { String(format: "%.2f", $0) }.joined(separator: " "))
        }
        text = lines.joined(separator: "\n")
    }
}
