import Adapters
import Foundation
import TensorIO

/// How the tokens of the last step were spread over the experts, as a table: the share of each expert in each mixture.
struct RoutingTable {
    let layers: [RoutingStatistics]

    /// A checkpoint may say anything: more mixtures and experts than models have are not shown.
    private static let (mostLayers, mostExperts) = (500, 256)

    init(_ layers: [RoutingStatistics]) {
        self.layers = layers.prefix(Self.mostLayers).map { layer in
            var layer = layer
            layer.layer = printable(layer.layer)
            layer.load = Array(layer.load.prefix(Self.mostExperts))
            return layer
        }
    }

    var text: String {
        guard let first = layers.first else { return "" }
        let width = layers.map(\.layer.count).max() ?? 0
        let names = first.load.indices.map { "\($0)" }
        var lines = ["routing of the last step: share of the tokens by expert, entropy in nats"]
        // Four experts of FLUX's longest layer name fit into 80 columns.
        lines.append("  " + pad("expert", width) + names.map { " " + pad($0, 7, left: true) }.joined() + "  entropy")
        for layer in layers { lines.append(row(layer.layer, layer.load, layer.entropy, width)) }
        if layers.count > 1, layers.allSatisfy({ $0.load.count == first.load.count }) {
            let count = Float(layers.count)
            let mean = first.load.indices.map { expert in layers.reduce(0) { $0 + $1.load[expert] } / count }
            lines.append(row("mean", mean, layers.reduce(0) { $0 + $1.entropy } / count, width))
        }
        return lines.joined(separator: "\n")
    }

    private func row(_ name: String, _ load: [Float], _ entropy: Float, _ width: Int) -> String {
        let cells = load.map { " " + pad(String(format: "%.1f %%", $0 * 100), 7, left: true) }
        return "  " + pad(name, width) + cells.joined() + "  " + pad(String(format: "%.3f", entropy), 7, left: true)
    }

    private func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return left ? space + text : text + space
    }
}
