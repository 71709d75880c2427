import NeuralNet
import TensorCore
import TestSupport
import Testing

/// Names of parts and parameters.
@Suite struct ModuleTests {
    private final class Block: Module {
        let first: Linear
        let norm: RMSNorm

        init(_ loader: WeightLoader) {
            first = Linear(loader.scoped("first"), 4, 3)
            norm = RMSNorm(loader.scoped("norm"), 3, epsilon: 1e-6)
        }

        var children: [(name: String, module: any Module)] { [("first", first), ("norm", norm)] }
    }

    private final class Model: Module {
        let blocks: [Block]

        init(_ loader: WeightLoader) { blocks = (0..<2).map { Block(loader.scoped("blocks", $0)) } }

        var children: [(name: String, module: any Module)] {
            blocks.enumerated().map { ("blocks.\($0.offset)", $0.element) }
        }
    }

    private let model = Model(WeightLoader(initializing: .float32, seed: 1))

    @Test func namesAreThoseOfTheFileParentsFirst() {
        #expect(
            model.namedModules().map(\.name) == [
                "", "blocks.0", "blocks.0.first", "blocks.0.norm", "blocks.1", "blocks.1.first", "blocks.1.norm",
            ])
        #expect(
            model.namedParameters(prefix: "net").map(\.name) == [
                "net.blocks.0.first.weight", "net.blocks.0.first.bias", "net.blocks.0.norm.weight",
                "net.blocks.1.first.weight", "net.blocks.1.first.bias", "net.blocks.1.norm.weight",
            ])
    }

    @Test func parametersAndBytesAreCounted() {
        #expect(model.parameterCount == 2 * (12 + 3 + 3))
        let bytes = model.weightByteCounts
        #expect(bytes.mapped == 0 && bytes.owned == 4 * model.parameterCount)
    }
}
