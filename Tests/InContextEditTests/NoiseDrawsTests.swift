import InContextEdit
import TensorCore
import TensorIO
import TestSupport
import Testing

/// A seed gives the picture that diffusers' pipeline gives for it, with nothing replaced
/// (`Tests/Reference/make_noise_fixture.py`).
@Suite struct NoiseDrawsTests {
    private let reference: SafetensorsFile
    private let editor: Editor
    private let source: Image
    private let fields = PromptFields(instruction: "make the cat blue")

    init() throws {
        reference = try SafetensorsFile(path: Fixtures.path("noise.safetensors"))
        editor = Editor(try EditPipeline(path: Fixtures.path("tiny-random-fill")))
        source = try Image(contentsOf: Fixtures.path("source.png")).crop(x: 16, y: 16, width: 32, height: 32)
    }

    private func options(seed: UInt64) -> Editor.Options {
        var options = Editor.Options()
        options.seed = seed
        options.steps = 3
        options.guidance = 30
        options.maximumSequenceLength = 64
        options.panelWidth = 32
        return options
    }

    @Test func picturesOfTenSeeds() throws {
        var differences: [Int] = []
        for name in reference.names.sorted() where name.hasPrefix("picture.") {
            let seed = try #require(UInt64(name.dropFirst("picture.".count)))
            let diptych = try editor.edit(source, fields, options: options(seed: seed)).diptych
            let expected = try reference.tensor(name)
            #expect(expected.shape == [32, 64, 3])
            let pairs = zip(diptych.canvas.pixels, expected.elements(as: UInt8.self))
            let difference = pairs.map { abs(Int($0) - Int($1)) }.max() ?? 255
            differences.append(difference)
            #expect(difference <= 2, "seed \(seed): \(difference) of 255")
        }
        print("pictures of \(differences.count) seeds: largest differences \(differences) of 255")
        #expect(differences.count == 10)
    }

    @Test func theDrawsAreDifferentOnes() throws {
        var options = options(seed: 0)
        var latents: [Tensor] = []
        for draws in NoiseDraws.allCases {
            options.noise = draws
            _ = try editor.edit(source, fields, options: options) { progress in
                if case .sampled(steps: 0, let noise) = progress { latents.append(noise) }
            }
        }
        let noise = try reference.tensor("noise")
        let errors = latents.map { zip($0.floats, noise.floats).map { abs($0 - $1) }.max() ?? 9 }
        #expect(latents.count == 2 && errors[0] <= 1e-6 && errors[1] > 1, "\(errors)")
        // Of the noise alone it is the first.
        var random = Random(seed: 0)
        let first = LatentPacking.pack(random.randn([1, 16, 4, 8]))
        #expect(first.isIdentical(to: latents[1]))
    }

    @Test func bfloat16DrawsInBfloat16() throws {
        var halves = EncoderOptions()
        halves.vaeType = .bfloat16
        let pipeline = try EditPipeline(path: Fixtures.path("tiny-random-fill"), encoders: halves)
        var options = options(seed: 0)
        options.precision = .bfloat16
        options.steps = 1
        var noise: Tensor?
        _ = try Editor(pipeline).edit(source, fields, options: options) { progress in
            if case .sampled(steps: 0, let latents) = progress { noise = latents }
        }
        var random = Random(seed: 0)
        _ = random.randn([1, 16, 4, 8])
        let drawn = random.randn([1, 16, 4, 8]).converted(to: .bfloat16)
        let expected = LatentPacking.pack(drawn.converted(to: .float32))
        #expect(noise?.isIdentical(to: expected) == true)
    }
}
