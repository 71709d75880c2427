import Adapters
import Autograd
import NeuralNet
import TensorCore
import TensorIO

/// Tensors by name, as a file would hold them.
struct MemoryArchive: TensorArchive {
    var path = "adapter.safetensors"
    var tensors: [(name: String, tensor: Tensor)]

    var names: [String] { tensors.map(\.name) }

    func info(_ name: String) -> TensorInfo? {
        tensors.first { $0.name == name }.map { TensorInfo(dtype: $0.tensor.dtype, shape: $0.tensor.shape) }
    }

    func tensor(_ name: String) throws -> Tensor {
        guard let found = tensors.first(where: { $0.name == name }) else {
            throw FileError(path, key: name, expected: "a tensor", found: "none")
        }
        return found.tensor
    }

    subscript(name: String) -> Tensor? {
        get { tensors.first { $0.name == name }?.tensor }
        set {
            let place = tensors.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let value?): tensors[place].tensor = value
            case (let place?, nil): tensors.remove(at: place)
            case (nil, let value?): tensors.append((name, value))
            case (nil, nil): break
            }
        }
    }
}

/// Two blocks of two layers and an entrance, named like those of a transformer: `[B, S, 6] -> [B, S, 5]`.
final class TinyModel: Module {
    final class Block: Module {
        let first: Linear
        let second: Linear
        init(_ loader: WeightLoader) {
            first = Linear(loader.scoped("attn.to_q"), 8, 10)
            second = Linear(loader.scoped("ff.net.2"), 10, 8)
        }
        var children: [(name: String, module: any Module)] { [("attn.to_q", first), ("ff.net.2", second)] }
        func callAsFunction(_ x: Variable) -> Variable { x + second(first(x).applying(.geluTanh)) }
    }

    let entrance: Linear
    let blocks: [Block]
    let exit: Linear
    /// What routers that see the text are given.
    var pooledText: Variable?

    init(seed: UInt64 = 1, dtype: DType = .float32) throws {
        var random = Random(seed: seed)
        var archive = MemoryArchive(tensors: [])
        func add(_ name: String, _ input: Int, _ output: Int) {
            archive[name + ".weight"] = (random.randn([output, input]) * (1 / Float(input).squareRoot()))
                .converted(to: dtype)
            archive[name + ".bias"] = (random.randn([output]) * 0.1).converted(to: dtype)
        }
        add("x_embedder", 6, 8)
        for block in 0..<2 {
            add("blocks.\(block).attn.to_q", 8, 10)
            add("blocks.\(block).ff.net.2", 10, 8)
        }
        add("proj_out", 8, 5)
        let loader = WeightLoader(archive)
        entrance = Linear(loader.scoped("x_embedder"), 6, 8)
        blocks = (0..<2).map { Block(loader.scoped("blocks", $0)) }
        exit = Linear(loader.scoped("proj_out"), 8, 5)
        try loader.finish()
    }

    var children: [(name: String, module: any Module)] {
        [("x_embedder", entrance)] + blocks.enumerated().map { ("blocks.\($0.offset)", $0.element) } + [
            ("proj_out", exit)
        ]
    }

    /// With `usesCheckpoints` each block runs again during the backward pass.
    func callAsFunction(_ x: Variable, usesCheckpoints: Bool = false) -> Variable {
        let context = ForwardContext(pooledText: pooledText)
        return context.run {
            var hidden = entrance(x)
            for block in blocks {
                let body = { (inputs: [Variable]) in context.run { [block(inputs[0])] } }
                hidden = (usesCheckpoints ? checkpoint([hidden], body) : body([hidden]))[0]
            }
            return exit(hidden)
        }
    }
}

/// Inputs that the tests share.
enum Sample {
    static func random(_ seed: UInt64, _ shape: Shape) -> Tensor {
        var random = Random(seed: seed)
        return random.randn(shape)
    }

    /// For ``TinyModel``: two sequences of seven tokens.
    static var input: Variable { Variable(random(2, [2, 7, 6])) }
    static var target: Tensor { random(3, [2, 7, 5]) }
    static var pooledText: Variable { Variable(random(4, [2, 3])) }

    /// A mixture of three experts of rank 2 after each block, LoRAs of rank 3 elsewhere.
    static var configuration: AdapterConfiguration {
        AdapterConfiguration(
            loraRank: 3, loraAlpha: 6, loraTargets: ["x_embedder", "blocks.*.attn.to_q"], moeRank: 2, moeAlpha: 3,
            experts: 3, topK: 1, moeTargets: ["blocks.*.ff.net.2"])
    }

    /// Adapters in `model` whose ways up and routers are not small.
    static func adapters(_ configuration: AdapterConfiguration, in model: TinyModel, seed: UInt64 = 5) throws
        -> AdapterSet
    {
        let adapters = try AdapterSet(injecting: configuration, into: model, pooledWidth: 3, seed: seed)
        var random = Random(seed: seed + 1)
        for (name, parameter) in adapters.parameters where !name.contains("lora_A") {
            parameter.replace(random.randn(parameter.value.shape) * 0.5)
        }
        return adapters
    }
}

extension LinearAdapter {
    /// What a layer computes with the adapter beside it, from what it computes without.
    func adapt(_ output: Variable, input: Variable) -> Variable {
        guard let side = sideProduct(of: [input]) else { return output }
        return output + side.narrow.linear(weight: side.up, dtype: output.dtype)
    }
}

/// The largest absolute difference.
func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
    precondition(a.shape == b.shape, "\(a.shape) and \(b.shape)")
    return zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? 0
}

/// `|a - b| / |b|` by the Euclidean norm, the difference itself where b is 0.
func relativeError(_ a: Tensor, _ b: Tensor) -> Double {
    precondition(a.shape == b.shape, "\(a.shape) and \(b.shape)")
    let difference = zip(a.floats, b.floats).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    let size = b.floats.reduce(0.0) { $0 + Double($1) * Double($1) }
    return (size > 0 ? difference / size : difference).squareRoot()
}
