import Adapters
import Autograd
import Foundation
import TensorCore
import Testing

@Suite struct RoutingReportTests {
    private func report(_ model: TinyModel, _ adapters: AdapterSet) -> RoutingReport {
        let (_, side) = AuxiliaryOutputs.collecting { model(Sample.input) }
        return adapters.routingReport(side)
    }

    @Test func evenRoutersHaveLossOne() throws {
        let model = try TinyModel()
        let adapters = try AdapterSet(injecting: Sample.configuration, into: model, seed: 1)
        for mixture in adapters.mixtures { mixture.router.weight.replace(Tensor(zeros: [3, 10])) }
        let report = report(model, adapters)
        #expect(report.layers.map(\.layer) == ["blocks.0.ff.net.2", "blocks.1.ff.net.2"])
        for layer in report.layers {
            // Of equal probabilities the first wins.
            #expect(layer.load == [1, 0, 0])
            #expect(layer.probability.allSatisfy { abs($0 - 1 / 3) < 1e-6 })
            #expect(abs(layer.entropy - log(3)) < 1e-6)
            #expect(abs(layer.loadBalance - 1) < 1e-6)
            #expect(abs(layer.routerZ - log(3) * log(3)) < 1e-5)
        }
        #expect(abs(report.loadBalance.value.scalar - 1) < 1e-6)
        #expect(abs(report.routerZ.value.scalar - log(3) * log(3)) < 1e-5)
    }

    @Test func collapsedRoutersHaveLossN() throws {
        let model = try TinyModel()
        let adapters = try AdapterSet(injecting: Sample.configuration, into: model, seed: 1)
        let mixture = adapters.mixtures[0]
        var rows = [Float](repeating: 0, count: 30)
        for i in 20..<30 { rows[i] = 100 }
        mixture.router.weight.replace(Tensor(rows, [3, 10]))
        let (_, side) = AuxiliaryOutputs.collecting {
            mixture.adapt(
                Variable(Tensor(zeros: [1, 2, 8])), input: Variable(Tensor(full: [1, 2, 10], 1)),
                at: model.blocks[0].second)
        }
        let layer = adapters.routingReport(side).layers[0]
        #expect(layer.load == [0, 0, 1] && layer.loadBalance == 3 && layer.entropy == 0)
    }

    @Test(arguments: 1...3) func sharesSumToOne(topK: Int) throws {
        var configuration = Sample.configuration
        configuration[LoRAMoEMethod.self]?.routing.topK = topK
        let model = try TinyModel()
        let adapters = try Sample.adapters(configuration, in: model)
        for layer in report(model, adapters).layers {
            #expect(abs(layer.load.reduce(0, +) - 1) < 1e-6)
            #expect(abs(layer.probability.reduce(0, +) - 1) < 1e-6)
            // No expert can have more than one slot of each token.
            #expect(layer.load.allSatisfy { $0 <= 1 / Float(topK) + 1e-6 })
        }
    }

    @Test func nothingWithoutMixturesOrListeners() throws {
        let model = try TinyModel()
        let adapters = try AdapterSet(injecting: .init(LoRAMethod(), targets: ["x_embedder"]), into: model, seed: 1)
        let (_, side) = AuxiliaryOutputs.collecting {
            AuxiliaryOutputs.emit("somebody else", [Variable(Tensor(1))])
            return model(Sample.input)
        }
        #expect(side.count == 1)
        let report = adapters.routingReport(side)
        #expect(report.layers.isEmpty && report.loadBalance.value.scalar == 0 && report.routerZ.value.scalar == 0)
    }

    /// Gradients of the whole loss, added up over two halves of a batch, with and without checkpoints.
    private func gradients(usesCheckpoints: Bool) throws -> ([[Float]], [[RoutingStatistics]]) {
        var configuration = Sample.configuration
        configuration[LoRAMoEMethod.self]?.routing.topK = 2
        let model = try TinyModel()
        let adapters = try Sample.adapters(configuration, in: model)
        var runs: [[RoutingStatistics]] = []
        for half in 0..<2 {
            let input = Variable(Sample.input.value.sliced(axis: 0, half..<half + 1).copied())
            let target = Sample.target.sliced(axis: 0, half..<half + 1).copied()
            let (output, side) = AuxiliaryOutputs.collecting { model(input, usesCheckpoints: usesCheckpoints) }
            let report = adapters.routingReport(side)
            let loss = output.meanSquaredError(target) + report.loadBalance * 0.1 + report.routerZ * 0.01
            (loss * 0.5).backward()
            runs.append(report.layers)
        }
        return (adapters.parameters.map { $0.parameter.variable.gradient?.floats ?? [] }, runs)
    }

    @Test func checkpointsAndAccumulationChangeNothing() throws {
        let (plain, plainRuns) = try gradients(usesCheckpoints: false)
        let (again, againRuns) = try gradients(usesCheckpoints: true)
        #expect(plain == again && plainRuns == againRuns)
        #expect(plain.allSatisfy { $0.contains { $0 != 0 } })

        let mean = RoutingStatistics.average(plainRuns)
        #expect(mean.count == 2 && mean[0].layer == "blocks.0.ff.net.2")
        for expert in 0..<3 {
            let expected = (plainRuns[0][1].load[expert] + plainRuns[1][1].load[expert]) / 2
            #expect(abs(mean[1].load[expert] - expected) < 1e-6)
        }
        #expect(abs(mean[0].routerZ - (plainRuns[0][0].routerZ + plainRuns[1][0].routerZ) / 2) < 1e-6)
        #expect(RoutingStatistics.average([]).isEmpty)
    }
}
