import Adapters
import Autograd
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// LoKr against LyCORIS (`Tests/Reference/make_lokr_fixture.py`) and against Kronecker's product written out.
@Suite struct LoKrTests {
    struct Case: CustomTestStringConvertible {
        let method: LoKrMethod
        let names: [String]
        var testDescription: String { names.joined(separator: ", ") }
    }

    /// At `blocks.0.attn.to_q`, `[10, 8]`: w1 `[2, 2]` and w2 `[5, 4]`.
    static let cases = [
        Case(method: LoKrMethod(rank: 2, alpha: 3, factor: 2), names: ["lokr_w1", "lokr_w2_a", "lokr_w2_b"]),
        Case(method: LoKrMethod(rank: 3, alpha: 7, factor: 2), names: ["lokr_w1", "lokr_w2"]),
        Case(method: LoKrMethod(rank: 1, alpha: 0.5, factor: 2, fullMatrix: true), names: ["lokr_w1", "lokr_w2"]),
        // Both factors are 5 x 2 and 2 x 4 where the extents are cut unlike: w1 [2, 4] by the square root of 8.
        Case(method: LoKrMethod(rank: 1, alpha: 2, factor: -1), names: ["lokr_w1", "lokr_w2_a", "lokr_w2_b"]),
    ]

    private func adapters(_ method: LoKrMethod, in model: TinyModel, targets: [String]) throws -> AdapterSet {
        let set = try AdapterSet(injecting: AdapterConfiguration(method, targets: targets), into: model, seed: 5)
        var random = Random(seed: 6)
        for (_, parameter) in set.parameters { parameter.replace(random.randn(parameter.shape) * 0.6) }
        return set
    }

    // MARK: LyCORIS

    @Test func factorizationIsThatOfLyCORIS() throws {
        let table = try SafetensorsFile(path: Fixtures.path("lokr.safetensors")).tensor("factorization")
        let rows = table.converted(to: .float32).floats.map { Int($0) }
        #expect(table.shape == [128, 4])
        for row in stride(from: 0, to: rows.count, by: 4) {
            let found = LoKrMethod.factorization(rows[row], factor: rows[row + 1])
            #expect(found == (rows[row + 2], rows[row + 3]), "\(rows[row]) by \(rows[row + 1])")
        }
    }

    @Test func outputIsThatOfLyCORIS() throws {
        let fixture = try SafetensorsFile(path: Fixtures.path("lokr.safetensors"))
        let inputs = try SafetensorsFile(path: Fixtures.path("moe.before.top1/inputs.safetensors"))
        let model = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        let (clean, noise) = (try inputs.tensor("in.x0"), try inputs.tensor("in.noise"))
        let time = try inputs.tensor("in.t")
        let t = time.reshaped(to: [-1, 1, 1])
        let input = FluxInput(
            latents: Variable(.concatenated([clean * (-t + 1) + noise * t, try inputs.tensor("in.cond")], axis: -1)),
            text: Variable(try inputs.tensor("in.text")), pooled: Variable(try inputs.tensor("in.pooled")),
            timestep: time, guidance: Tensor(full: time.shape, 1), imageIDs: try inputs.tensor("in.img_ids"),
            textIDs: try inputs.tensor("in.txt_ids"))
        func output() -> Tensor { withoutGradients { model(input).value } }
        let base = output()
        let prefix = "diffusers/"
        let archive = MemoryArchive(
            tensors: try fixture.names.filter { $0.hasPrefix(prefix) }.map {
                (String($0.dropFirst(prefix.count)), try fixture.tensor($0))
            })
        let set = try AdapterSet(loading: archive, into: model)
        #expect(set.members.count == 5 && set.members.allSatisfy { $0.adapter is LoKr })
        let expected = try fixture.tensor("output/diffusers")
        let (error, change) = (largestDifference(output(), expected), largestDifference(expected, base))
        print("LoKr against LyCORIS: max error \(error) of \(change)")
        #expect(error < 1e-4 && change > 0.1)
    }

    // MARK: The formula

    @Test(arguments: cases, [Float(1), -0.5]) func aLayerIsItsFormula(_ given: Case, strength: Float) throws {
        let model = try TinyModel()
        let layer = model.blocks[0].first
        let x = Sample.random(9, [3, 8])
        let base = layer(Variable(x)).value.floats
        let set = try adapters(given.method, in: model, targets: ["blocks.0.attn.to_q"])
        #expect(set.parameters.map(\.name) == given.names.map { "blocks.0.attn.to_q.\($0)" })
        set.strength = strength
        let tensors = Dictionary(
            uniqueKeysWithValues: set.parameters.map {
                ($0.name.split(separator: ".").last.map(String.init) ?? "", $0.parameter.value)
            })
        let w1 = try #require(tensors["lokr_w1"])
        let isProduct = tensors["lokr_w2"] == nil
        let w2 = try tensors["lokr_w2"] ?? #require(tensors["lokr_w2_a"]).matrixProduct(#require(tensors["lokr_w2_b"]))
        let (l, m, k, n) = (w1.shape[0], w1.shape[1], w2.shape[0], w2.shape[1])
        #expect(l * k == 10 && m * n == 8)
        let scale = isProduct ? Double(given.method.alpha) / Double(given.method.rank) : 1
        let y = layer(Variable(x)).value.floats
        var (worst, moved) = (0.0, 0.0)
        for token in 0..<3 {
            for o in 0..<10 {
                let change = (0..<8).reduce(0.0) { sum, i in
                    let weight = Double(w1.floats[o / k * m + i / n]) * Double(w2.floats[o % k * n + i % n])
                    return sum + scale * weight * Double(x.floats[token * 8 + i])
                }
                let place = token * 10 + o
                worst = max(worst, abs(Double(base[place]) + Double(strength) * change - Double(y[place])))
                moved = max(moved, abs(change))
            }
        }
        #expect(worst < 1e-5 && moved > 0.1, "\(worst) of \(moved)")
        set.remove()
        #expect(layer(Variable(x)).value.floats == base)
    }

    /// Inputs in parts, and more leading axes, give what they give whole.
    @Test func partsAreJoined() throws {
        let model = try TinyModel()
        let set = try adapters(cases[0].method, in: model, targets: ["blocks.0.attn.to_q"])
        let x = Variable(Sample.random(9, [2, 3, 8]))
        let whole = model.blocks[0].first(x).value
        let parts = model.blocks[0].first(joining: x.split(extents: [3, 5], axis: -1)).value
        #expect(largestDifference(whole, parts) < 1e-6)
        set.remove()
    }

    private var cases: [Case] { Self.cases }

    @Test(arguments: cases) func gradientsFollowFiniteDifferences(_ given: Case) throws {
        let model = try TinyModel()
        let set = try adapters(given.method, in: model, targets: ["blocks.0.attn.to_q", "blocks.1.ff.net.2"])
        func loss() -> Variable { model(Sample.input, usesCheckpoints: true).meanSquaredError(Sample.target) }
        loss().backward()
        for (name, parameter) in set.parameters {
            let gradient = try #require(parameter.variable.gradient, "\(name)")
            let norm = gradient.floats.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let value = parameter.value
            func measured(_ step: Float) -> Double {
                let sides = [Float(1), -1].map { sign -> Double in
                    parameter.replace(value + gradient * (sign * step / norm))
                    return withoutGradients { Double(loss().value.scalar) }
                }
                parameter.replace(value)
                return (sides[0] - sides[1]) / (2 * Double(step))
            }
            // Richardson's two steps cancel the third order.
            let found = (4 * measured(5e-3) - measured(1e-2)) / 3
            #expect(norm > 0 && abs(found - Double(norm)) < 2e-3 * Double(norm) + 1e-3, "\(name): \(norm), \(found)")
        }
    }

    @Test(arguments: [DType.float32, .bfloat16]) func freshAdaptersChangeNoBit(dtype: DType) throws {
        for given in cases {
            let model = try TinyModel(dtype: dtype)
            let input = Variable(Sample.input.value.converted(to: dtype))
            let base = model(input).value.floats.map(\.bitPattern)
            let set = try AdapterSet(
                injecting: AdapterConfiguration(given.method, targets: ["*"]), into: model, seed: 1)
            #expect(model(input).value.floats.map(\.bitPattern) == base)
            set.remove()
        }
    }

    // MARK: Faults

    @Test func faultyFiles() throws {
        func message(_ tensors: [(String, Shape)]) throws -> String {
            let archive = MemoryArchive(tensors: tensors.map { ("blocks.0.attn.to_q.\($0.0)", Tensor(full: $0.1, 1)) })
            do {
                _ = try AdapterSet(loading: archive, into: try TinyModel())
                return "no error"
            } catch { return "\(error)" }
        }
        #expect(try message([("lokr_w1", [2, 2]), ("lokr_w2", [5, 4])]) == "no error")
        #expect(try message([("lokr_w1", [2, 2])]).contains("to_q.lokr_w2: expected a tensor beside"))
        #expect(
            try message([("lokr_w1", [2, 2]), ("lokr_w2", [5, 5])]).contains(
                "expected a Kronecker product of shape [10, 8], found [10, 10]"))
        #expect(
            try message([("lokr_w1", [2, 2]), ("lokr_w2_a", [5, 3]), ("lokr_w2_b", [2, 4])]).contains(
                "lokr_w2_b: expected 3 rows, found [2, 4]"))
        #expect(
            try message([("lokr_w1", [2, 2]), ("lokr_w2", [5, 4]), ("lokr_w2_a", [5, 2]), ("lokr_w2_b", [2, 4])])
                .contains("lokr_w2: expected a matrix or a product of two, found both"))
        #expect(
            try message([("lokr_w1", [2, 2]), ("lokr_w2", [5, 4]), ("dora_scale", [10, 1])]).contains(
                "dora_scale: expected the tensors of one method, a LoKr, for a layer, found one of another"))
        #expect(LoKrMethod(rank: 0, factor: 0).faults.map(\.key) == ["rank", "factor"])
    }
}
