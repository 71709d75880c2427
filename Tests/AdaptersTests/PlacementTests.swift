import Adapters
import Autograd
import Models
import NeuralNet
import TensorCore
import Testing

/// Upstream's placement in a model of FLUX.1-Fill's size.
@Suite struct PlacementTests {
    @Test func countsOfTheReleasedWeights() throws {
        var size = FluxConfiguration()
        size.inChannels = 384
        size.guidanceEmbeds = true
        // Without weights the loader hands out broadcast zeros of the right shapes, which take no memory.
        let model = FluxTransformer(size, WeightLoader(MemoryArchive(tensors: [])))
        var configuration = AdapterConfiguration.iceditMoE
        configuration[LoRAMethod.self]?.rank = 1
        configuration[LoRAMoEMethod.self]?.rank = 1
        let adapters = try AdapterSet(injecting: configuration, into: model, seed: 0)
        #expect(adapters.members.count == 1 + 19 * 6 + 38 * 6)
        #expect(adapters.mixtures.count == 19 + 38)

        // From rank 1 to rank 32: the ways grow, the routers do not.
        let routers = adapters.mixtures.reduce(0) { $0 + $1.router.weight.value.count }
        let mixtures = 32 * (adapters.mixtureParameterCount - routers) + routers
        let loras = 32 * (adapters.parameterCount - adapters.mixtureParameterCount)
        // The released file: 214.44 M parameters, 130.28 M of them in the mixtures.
        #expect(mixtures == 130_277_376)
        #expect(mixtures + loras == 214_437_888)
        #expect(adapters.baseParameterCount > 11_900_000_000 && adapters.baseParameterCount < 11_910_000_000)
    }
}
