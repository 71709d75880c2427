import Adapters
import Autograd
import TensorCore
import Testing

/// Mixtures at the last layer of a small model, where what they add to the output can be measured.
@Suite struct MoEFlatteningTests {
    private let model: TinyModel
    private let base: Tensor

    init() throws {
        model = try TinyModel()
        base = model(Self.inputs).value
    }

    private static var inputs: Variable { Variable(Sample.random(9, [8, 40, 6])) }
    private static var others: Variable { Variable(Sample.random(10, [8, 40, 6])) }

    private func mixture(topK: Int, routers: Float = 1) throws -> AdapterSet {
        let configuration = AdapterConfiguration(
            LoRAMoEMethod(rank: 2, alpha: 3, experts: 3, routing: .init(topK: topK, renormalizesWeights: true)),
            targets: ["proj_out"])
        let set = try AdapterSet(injecting: configuration, into: model, seed: 4)
        var random = Random(seed: 5)
        for (name, parameter) in set.parameters {
            let scale: Float = name.contains("route") ? routers : 0.5
            parameter.replace(random.randn(parameter.value.shape) * scale)
        }
        return set
    }

    /// What is added to the output, with the mixture and with what was made of it.
    private func added(_ file: AdapterFile, _ inputs: Variable) throws -> Tensor {
        let set = try AdapterSet(file, into: model)
        defer { set.remove() }
        let output = model(inputs).value
        set.strength = 0
        return output - model(inputs).value
    }

    @Test func statisticsOfInputsThatAreNotNumbersSaySo() throws {
        let set = try mixture(topK: 1)
        defer { set.remove() }
        let (_, sound) = set.collectingStatistics { model(Self.inputs).value }
        #expect(sound["proj_out"]?.isFinite == true)
        let (_, unsound) = set.collectingStatistics { model(Self.inputs * .nan).value }
        #expect(unsound["proj_out"]?.isFinite == false)
    }

    /// Experts that always work alike are one linear map: the mean is exact at full rank, and cut to a rank it is the
    /// nearest of that rank. The means of the factors are another map.
    @Test func constantRoutingIsLinear() throws {
        let set = try mixture(topK: 3, routers: 0)
        let (output, statistics) = set.collectingStatistics { model(Self.inputs).value }
        set.remove()
        let truth = output - base
        #expect(statistics["proj_out"]?.tokens == 320)
        let weights = try #require(statistics["proj_out"]?.meanWeights)
        #expect(weights.allSatisfy { abs($0 - 1.0 / 3) < 1e-6 })
        let conversion = MoEFlattening(set, statistics: statistics)
        func error(_ method: FlatteningMethod, _ rank: Int) throws -> Double {
            relativeError(
                try added(conversion.adapters(method, rank: rank, naming: AdapterNaming()), Self.inputs), truth)
        }
        for method in [FlatteningMethod.weightedMean, .weightedMeanByInputs, .leastSquares] {
            // The output has five channels: a map to them has no higher rank.
            let exact = try error(method, 5)
            print("\(method.rawValue): error \(exact) at full rank")
            #expect(exact < 1e-5)
            let errors = try (1...4).map { try error(method, $0) }
            #expect(zip(errors, errors.dropFirst()).allSatisfy { $0 > $1 })
            #expect(errors[0] < 1)
        }
        #expect(try error(.averageFactors, 2) > 0.2)
        for rank in 1...4 {
            #expect(try error(.weightedMeanByInputs, rank) <= error(.weightedMean, rank) * 1.0001)
        }
    }

    @Test func leastSquaresLosesLeastWhereItLearned() throws {
        let set = try mixture(topK: 1)
        let (output, statistics) = set.collectingStatistics { model(Self.inputs).value }
        let (_, others) = set.collectingStatistics { model(Self.others).value }
        set.remove()
        let truth = output - base
        let conversion = MoEFlattening(set, statistics: statistics)
        for rank in [2, 3, 6] {
            var errors: [FlatteningMethod: Double] = [:]
            for method in FlatteningMethod.allCases {
                let file = conversion.adapters(method, rank: rank, naming: AdapterNaming())
                let measured = relativeError(try added(file, Self.inputs), truth)
                errors[method] = measured
                // What the sums over tokens say is what is measured.
                let report = conversion.reports(method, rank: rank, on: statistics)
                #expect(report.count == 1 && abs(report[0].relativeError - measured) < 1e-4, "\(method) \(measured)")
                let other = conversion.reports(method, rank: rank, on: others)[0].relativeError
                print("rank \(rank), \(method.rawValue): \(measured), on other tokens \(other)")
            }
            let best = try #require(errors[.leastSquares])
            #expect(errors.values.allSatisfy { best <= $0 * 1.001 })
        }
    }

    /// Without a run every expert counts alike, and no layer is left out.
    @Test func withoutStatistics() throws {
        let set = try mixture(topK: 1)
        set.remove()
        let conversion = MoEFlattening(set, statistics: [:])
        let first = conversion.adapters(.weightedMean, rank: 4, naming: AdapterNaming())
        let second = conversion.adapters(.leastSquares, rank: 4, naming: AdapterNaming())
        #expect(first.mixtures.isEmpty && first.layerNames == ["proj_out"])
        #expect(try added(first, Self.inputs).floats == added(second, Self.inputs).floats)
        #expect(conversion.reports(.leastSquares, rank: 4, on: [:]).isEmpty)
    }

    @Test func plainLoRAsStay() throws {
        let set = try Sample.adapters(Sample.configuration, in: model)
        defer { set.remove() }
        let (_, statistics) = set.collectingStatistics { model(Self.inputs).value }
        #expect(statistics.keys.sorted() == ["blocks.0.ff.net.2", "blocks.1.ff.net.2"])
        let file = MoEFlattening(set, statistics: statistics).adapters(
            .leastSquares, rank: 4, naming: AdapterNaming())
        let exported = Dictionary(
            uniqueKeysWithValues: try file.exported(as: .peft).tensors.map { ($0.name, $0.tensor) })
        let trained = Dictionary(uniqueKeysWithValues: set.parameters.map { ($0.name, $0.parameter.value) })
        #expect(
            exported["transformer.x_embedder.lora_B.weight"]?.floats == trained["x_embedder.lora_B.weight"]?.floats)
        #expect(exported["transformer.blocks.1.ff.net.2.lora_A.weight"]?.shape == [4, 10])
    }
}
