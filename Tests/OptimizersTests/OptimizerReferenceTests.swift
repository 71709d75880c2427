import Autograd
import Optimizers
import TensorCore
import Testing

/// Twelve steps of ``LeastSquares`` against PyTorch 2 and prodigyopt 1.1:
///
///     import torch, prodigyopt
///     def run(make):
///         w = torch.nn.Parameter(torch.tensor([[0.5, -1.0, 2.0], [0.25, 0.75, -0.5]])); b = torch.nn.Parameter(torch.zeros(2))
///         x = torch.tensor([[1.0, 2.0, -1.0], [0.5, -0.25, 1.5], [-2.0, 1.0, 0.25]])
///         y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
///         opt, losses = make([w, b]), []
///         for _ in range(12):
///             loss = ((x @ w.T + b - y) ** 2).mean(); opt.zero_grad(); loss.backward(); opt.step(); losses.append(loss.item())
///         print(losses, w.tolist(), b.tolist(), opt.param_groups[0].get("d"))
@Suite struct OptimizerReferenceTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable () -> any Optimizer
        let learningRate: Float
        let losses: [Float]
        let values: [Float]
        var d: Double?
    }

    static let cases = [
        Case(
            testDescription: "AdamW(lr=0.05, betas=(0.9, 0.99), weight_decay=0.1)",
            make: { AdamW(.init(beta2: 0.99, weightDecay: 0.1)) }, learningRate: 0.05,
            losses: [
                7.748046875, 7.070549488067627, 6.438814163208008, 5.852657318115234, 5.311577320098877,
                4.8146586418151855, 4.360452175140381, 3.9468815326690674, 3.571186065673828, 3.229987144470215,
                2.919501304626465, 2.635887861251831,
            ],
            values: [
                0.9051040410995483, -0.3778195083141327, 1.3102052211761475, -0.2422625571489334, 0.14546459913253784,
                0.09078507870435715, 0.4142748713493347, 0.5665278434753418,
            ]),
        Case(
            testDescription: "Prodigy(lr=1)", make: { Prodigy() }, learningRate: 1,
            losses: [
                7.748046875, 7.748006343841553, 7.747951984405518, 7.747852802276611, 7.74756383895874,
                7.746790409088135, 7.744811534881592, 7.739730358123779, 7.726670742034912, 7.693147659301758,
                7.6073689460754395, 7.389633655548096,
            ],
            values: [
                0.5740435123443604, -0.9264745712280273, 1.926563024520874, 0.17611080408096313, 0.6764630675315857,
                -0.42645329236984253, 0.07402465492486954, 0.07354819029569626,
            ], d: 0.02569006767564038),
        Case(
            testDescription: "Prodigy(lr=1, weight_decay=0.01, use_bias_correction=True, safeguard_warmup=True)",
            make: { Prodigy(.icedit) }, learningRate: 1,
            losses: [
                7.748046875, 7.7480340003967285, 7.748020648956299, 7.748008728027344, 7.747995853424072,
                7.747983455657959, 7.747971057891846, 7.747958660125732, 7.747945308685303, 7.747933864593506,
                7.747918605804443, 7.74790620803833,
            ],
            values: [
                0.5000121593475342, -0.9999878406524658, 1.9999885559082031, 0.24998801946640015, 0.7499878406524658,
                -0.4999878406524658, 1.199997859657742e-05, 1.199998860101914e-05,
            ], d: 1e-06),
        Case(
            testDescription: "Prodigy(lr=0.5, weight_decay=0.1, d0=1e-3, d_coef=2, growth_rate=1.5, betas=(0.8, 0.95), "
                + "beta3=0.9, safeguard_warmup=True)",
            make: {
                Prodigy(
                    .init(
                        beta1: 0.8, beta2: 0.95, beta3: 0.9, weightDecay: 0.1, initialD: 1e-3, dCoefficient: 2,
                        growthRate: 1.5, safeguardsWarmup: true))
            }, learningRate: 0.5,
            losses: [
                7.748046875, 7.741740703582764, 7.733787536621094, 7.72495698928833, 7.715631484985352,
                7.706044673919678, 7.692948818206787, 7.673179626464844, 7.643423080444336, 7.599133014678955,
                7.533545017242432, 7.439209461212158,
            ],
            values: [
                0.532190203666687, -0.964445948600769, 1.9621728658676147, 0.21611280739307404, 0.7150151133537292,
                -0.46558627486228943, 0.03333398327231407, 0.03326818346977234,
            ], d: 0.01993324774801559),
    ]

    @Test(arguments: cases) func twelveSteps(_ expected: Case) {
        let problem = LeastSquares()
        let optimizer = expected.make()
        let losses = (0..<12).map { _ in problem.step(optimizer, learningRate: expected.learningRate) }
        let lossError = largestError(losses, expected.losses)
        let valueError = largestError(problem.values, expected.values)
        print("\(expected.testDescription): losses \(lossError), values \(valueError)")
        #expect(lossError < 2e-6)
        // The bias began at 0 and lies near 1e-5: float32 rounds its gradient alike only to some digits.
        #expect(valueError < 2e-4)
        if let d = expected.d, let prodigy = optimizer as? Prodigy {
            #expect(abs(prodigy.d - d) < 2e-4 * d, "\(prodigy.d) instead of \(d)")
        }
        #expect(optimizer.stepCount == 12)
        #expect(problem.idle.value.floats == [7])
    }
}
