import Autograd
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The autoencoder against diffusers, element by element.
@Suite struct AutoencoderKLTests {
    private let fill = Fixtures.path("tiny-random-fill/vae")
    private let variant = Fixtures.path("encoder-variant/vae")

    private func reference() throws -> SafetensorsFile { try SafetensorsFile(path: Fixtures.path("vae.safetensors")) }

    private func variantReference() throws -> SafetensorsFile {
        try SafetensorsFile(path: Fixtures.path("encoder-variant.safetensors"))
    }

    private func expectEqual(
        _ name: String, _ found: Tensor, _ expected: Tensor, tolerance: Float,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = largestDifference(found, expected)
        print("vae \(name): largest error \(error)")
        #expect(error <= tolerance, "\(name): largest error \(error)", sourceLocation: sourceLocation)
    }

    @Test func momentsAndImagesAreThoseOfDiffusers() throws {
        let (vae, values) = (try AutoencoderKL.load(folder: fill), try reference())
        let moments = vae.encode(try values.tensor("image"))
        expectEqual("mean", moments.mean, try values.tensor("mean"), tolerance: 2e-4)
        expectEqual("log variance", moments.logVariance, try values.tensor("logvar"), tolerance: 2e-4)
        let decoded = vae.decode(try values.tensor("latent"))
        expectEqual("image", decoded, try values.tensor("decoded"), tolerance: 2e-4)
    }

    @Test func otherProportionsAndOlderKeysToo() throws {
        let (vae, values) = (try AutoencoderKL.load(folder: variant), try variantReference())
        #expect(vae.configuration.downsampleFactor == 4 && vae.configuration.shiftFactor == 0)
        let image = Variable(try values.tensor("vae.image"), requiresGradient: true)
        let moments = vae.encode(image)
        expectEqual("variant mean", moments.mean.value, try values.tensor("vae.mean"), tolerance: 5e-5)
        expectEqual("variant log variance", moments.logVariance.value, try values.tensor("vae.logvar"), tolerance: 5e-5)
        Variable.concatenated([moments.mean, moments.logVariance], axis: 1)
            .backward(seed: try values.tensor("vae.moments_seed"))
        expectEqual("variant image gradient", image.gradient!, try values.tensor("vae.image_gradient"), tolerance: 2e-4)

        let latents = Variable(try values.tensor("vae.latent"), requiresGradient: true)
        let decoded = vae.decode(latents)
        expectEqual("variant image", decoded.value, try values.tensor("vae.decoded"), tolerance: 5e-5)
        decoded.backward(seed: try values.tensor("vae.decoded_seed"))
        expectEqual(
            "variant latent gradient", latents.gradient!, try values.tensor("vae.latent_gradient"), tolerance: 2e-4)
    }

    @Test func decoderGradientAgreesWithFiniteDifferences() throws {
        let vae = try AutoencoderKL.load(folder: fill)
        let start = try reference().tensor("latent").sliced(axis: 0, 0..<1).sliced(axis: 2, 0..<3)
            .sliced(axis: 3, 0..<2).contiguous()
        var random = Random(seed: 7)
        let seed = random.randn([1, 3, 24, 16])
        func objective(_ latents: Tensor) -> Double {
            zip(vae.decode(latents).floats, seed.floats).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let latents = Variable(start, requiresGradient: true)
        vae.decode(latents).backward(seed: seed)
        let gradient = latents.gradient!.floats
        let scale = gradient.map { abs($0) }.max()!
        let elements = start.floats
        for place in stride(from: 0, to: elements.count, by: 13) {
            let step: Float = 1e-2
            func moved(_ by: Float) -> Tensor {
                var changed = elements
                changed[place] += by
                return Tensor(changed, start.shape)
            }
            let slope = Float((objective(moved(step)) - objective(moved(-step))) / Double(2 * step))
            #expect(
                abs(slope - gradient[place]) <= 5e-3 * scale, "element \(place): \(slope), adjoint \(gradient[place])")
        }
    }

    @Test func trainedWeightsGetGradientsAndFrozenOnesNone() throws {
        let vae = try AutoencoderKL.load(folder: variant)
        let names = ["decoder.conv_in.weight", "decoder.up_blocks.1.upsamplers.0.conv.bias", "post_quant_conv.weight"]
        let parameters = vae.namedParameters()
        for (name, parameter) in parameters where names.contains(name) { parameter.isTrained = true }
        vae.decode(Variable(try variantReference().tensor("vae.latent"))).sum().backward()
        for (name, parameter) in parameters {
            #expect((parameter.variable.gradient != nil) == names.contains(name), "\(name)")
        }
    }

    @Test func logVarianceIsClamped() throws {
        try withChangedModel(
            variant,
            tensors: {
                $0["quant_conv.bias"] = Tensor([0, 0, 0, 0, 500, -500, 0, .nan] as [Float], [8])
            }
        ) { folder in
            let vae = try AutoencoderKL.load(folder: folder)
            let logVariance = vae.encode(try variantReference().tensor("vae.image")).logVariance
            #expect(logVariance.sliced(axis: 1, 0..<1).floats.allSatisfy { $0 == 20 })
            #expect(logVariance.sliced(axis: 1, 1..<2).floats.allSatisfy { $0 == -30 })
            #expect(logVariance.sliced(axis: 1, 2..<3).floats.allSatisfy { $0 > -30 && $0 < 20 })
            #expect(logVariance.sliced(axis: 1, 3..<4).floats.allSatisfy { $0.isNaN })
        }
    }

    @Test func everySizeThatIsAMultipleOfEightWorks() throws {
        let vae = try AutoencoderKL.load(folder: fill)
        for (height, width) in [(8, 8), (8, 24), (40, 16)] {
            let moments = vae.encode(Tensor(full: [1, 3, height, width], 0.25))
            #expect(moments.mean.shape == [1, 16, height / 8, width / 8])
            #expect(moments.mean.isFinite)
            #expect(vae.decode(moments.mean).shape == [1, 3, height, width])
        }
    }

    @Test func normalisingAndBackGivesTheSameLatents() throws {
        let vae = try AutoencoderKL.load(folder: fill)
        let latents = try reference().tensor("latent")
        let normalized = vae.normalized(latents)
        for (found, latent) in zip(normalized.floats, latents.floats) {
            #expect(abs(found - (latent - 0.1159) * 0.3611) <= 1e-6 * max(abs(latent), 1))
        }
        #expect(largestDifference(vae.denormalized(normalized), latents) <= 1e-6)
    }

    /// PyTorch's own bfloat16 is 0.0147 (mean) and 0.0156 (image) away from its float32 here.
    @Test(arguments: MatrixKernels.available) func bfloat16StaysCloseToDiffusersInFloat32(kernels: MatrixKernels) throws
    {
        let (vae, values) = (try AutoencoderKL.load(folder: fill), try reference())
        vae.convertWeights(to: .bfloat16)
        try Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            let mean = vae.encode(try values.tensor("image").converted(to: .bfloat16)).mean
            let image = vae.decode(try values.tensor("latent").converted(to: .bfloat16))
            #expect(mean.dtype == .bfloat16 && image.dtype == .bfloat16)
            for (name, found) in [("mean", mean), ("decoded", image)] {
                let error = relativeDistance(found, try values.tensor(name))
                print("vae bfloat16 \(name), \(kernels): relative distance \(error)")
                #expect(error > 0 && error <= 1.5e-2, "\(name)")
            }
        }
    }
}
