import Adapters
import Autograd
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// LoKrs of Black Forest Labs' fused layers, whose blocks of rows need not end where the model's layers do, against LyCORIS
/// (`Tests/Reference/make_lokr_fixture.py`).
@Suite struct FusedLoKrTests {
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
        let naming = AdapterNaming.flux(model.configuration)
        let archive = PrefixedArchive(fixture, prefix: "fused/")
        let set = try AdapterSet(loading: archive, into: model, naming: naming)
        #expect(set.members.count == 7 && set.members.allSatisfy { $0.adapter is LoKr })
        let output = withoutGradients { model(input).value }
        let expected = try fixture.tensor("output/fused")
        let error = zip(output.floats, expected.floats).map { abs($0 - $1) }.max() ?? .infinity
        print("fused LoKrs against LyCORIS: max error \(error)")
        #expect(error < 1e-4)
        set.remove()

        // What begins or ends between two blocks has no factors of its own.
        let refusal = #expect(throws: AdapterError.self) {
            try AdapterFile(archive, naming: naming).exported(as: .lycoris)
        }
        #expect("\(try #require(refusal))".contains("it can be used and merged, not written"))
    }
}
